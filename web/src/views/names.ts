/** What a conversation, or what somebody said, is called in words. */
import type { Opened } from "../crypto/seal"
import { joined, type Translate } from "../i18n/translate"
import { others, type People } from "../models/people"
import type { Whereabouts } from "../models/receipts"
import type { Conversation } from "../realtime/shapes"
import { refusalKey } from "../i18n/translate"

export function nameOf(t: Translate, people: People, userId: string): string {
  return people.get(userId) ?? t("person.unknown")
}

export function title(t: Translate, people: People, conversation: Conversation, me: string): string {
  if (conversation.type === "self") return t("kind.self")
  const [other] = others(conversation, me)
  if (conversation.type === "direct" && other) return nameOf(t, people, other)
  return conversation.name ?? t(`kind.${conversation.type}`)
}

/** Whose initial and colour stand for a conversation. */
export function face(conversation: Conversation, me: string): string {
  return conversation.type === "direct" ? (others(conversation, me)[0] ?? conversation.id) : conversation.id
}

export function text(t: Translate, opened: Opened | undefined): string {
  if (!opened) return ""
  return opened.kind === "text" ? opened.text : t(`message.${opened.kind}`)
}

export function where(t: Translate, language: string, people: People, at: Whereabouts): string {
  const names = (ids: readonly string[]) =>
    joined(
      language,
      ids.map((id) => nameOf(t, people, id)),
    )
  switch (at.at) {
    case "device":
    case "server":
      return t(`at.${at.at}`)
    case "refused":
      return t("at.refused", { why: t(refusalKey(at.reason)) })
    case "delivered":
      return at.all && at.to.length > 1 ? t("at.deliveredAll") : t("at.deliveredTo", { names: names(at.to) })
    case "read":
      return at.all && at.by.length > 1 ? t("at.readAll") : t("at.readBy", { names: names(at.by) })
  }
}
