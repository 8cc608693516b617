/** What a conversation, or what somebody said, is called in words. */
import type { Opened } from "../../crypto/seal"
import { joined, refusalKey, type Translate } from "../../i18n/translate"
import { attachmentsOf, kindOfAttachment } from "../../models/attachments"
import { others, shownName, type People } from "../../models/people"
import type { DeviceKind } from "../../models/device-kind"
import type { Holder, Whereabouts } from "../../models/receipts"
import type { Conversation, Family, Message } from "../../api/types"

interface Seen {
  readonly me: { readonly id: string }
  readonly circle: { readonly people: People; readonly families: readonly Family[] }
}

export function nameOf(t: Translate, people: People, userId: string): string {
  const person = people.get(userId)
  return person ? shownName(person) : t("person.unknown")
}

/** What a conversation is called by the one who looks at it. */
export function title(t: Translate, seen: Seen, conversation: Conversation): string {
  if (conversation.type === "self") return t("kind.self")
  const [other] = others(conversation, seen.me.id)
  if (conversation.type === "direct") return other ? nameOf(t, seen.circle.people, other) : t("person.unknown")
  const family =
    seen.circle.families.length > 1 && seen.circle.families.find((each) => each.id === conversation.family_id)?.name
  return conversation.name || family || t(`kind.${conversation.type}`)
}

/** What a message says; one that says nothing, by what came with it. */
export function gist(t: Translate, opened: Opened | undefined, message: Message): string {
  const said = text(t, opened)
  const [first] = attachmentsOf(message)
  return said === "" && first ? t(`attachment.${kindOfAttachment(first)}`) : said
}

export function text(t: Translate, opened: Opened | undefined): string {
  if (!opened) return ""
  return opened.kind === "text" ? opened.text : t(`message.${opened.kind}`)
}

interface Read extends Pick<Seen, "me" | "circle"> {
  readonly reader: { read(message: Message): Opened | undefined }
}

/** What a message says to the one who looks at it; of one that was removed, by whom. */
export function said(t: Translate, seen: Read, message: Message): string {
  const by = message.deleted_by
  if (message.deleted_at === null || by === null) return gist(t, seen.reader.read(message), message)
  return by === seen.me.id
    ? t("message.removedByYou")
    : t("message.removedBy", { name: nameOf(t, seen.circle.people, by) })
}

/** `Gran's tablet`: the kinds of devices on which somebody has a message. */
function deviceOf(t: Translate, language: string, people: People, { id, on }: Holder): string {
  const name = nameOf(t, people, id)
  return on.length > 0 ? t("at.devices", { name, devices: kindsIn(t, language, on) }) : t("at.someDevice", { name })
}

/** `phone and tablet` */
export function kindsIn(t: Translate, language: string, kinds: readonly DeviceKind[]): string {
  return joined(
    language,
    kinds.map((kind) => t(`device.${kind}`)),
  )
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
      if (at.all && at.to.length > 1) return t("at.deliveredAll")
      return t("at.on", {
        devices: joined(
          language,
          at.to.map((each) => deviceOf(t, language, people, each)),
        ),
      })
    case "read":
      return at.all && at.by.length > 1 ? t("at.readAll") : t("at.readBy", { names: names(at.by) })
  }
}
