/** Display names of conversations and messages. */
import type { Opened } from "../../crypto/seal"
import { joined, refusalKey, type Translate } from "../../i18n/translate"
import { attachmentsOf, attachmentKind } from "../../models/messages/attachments"
import { others, shownName, type People } from "../../models/people/people"
import type { Recipient, DeliveryStatus, RefusedFile } from "../../models/messages/receipts"
import type { Family, Message, DeviceKind } from "../../api/types"
import type { ConversationInfo } from "../../models/conversation-list"

interface Names {
  readonly people: People
  isFormer(userId: string): boolean
}

interface ViewContext {
  readonly me: { readonly id: string }
  readonly contacts: Names & { readonly families: readonly Family[] }
}

/** Returns a person's name; empty until the name has loaded. */
export function nameOf(t: Translate, names: Names, userId: string): string {
  const person = names.people.get(userId)
  if (person) return shownName(person)
  return names.isFormer(userId) ? t("person.unknown") : ""
}

/** The name of a conversation, as its viewer sees it. */
export function title(t: Translate, seen: ViewContext, conversation: ConversationInfo): string {
  if (conversation.type === "self") return t("kind.self")
  const [other] = others(conversation, seen.me.id)
  if (conversation.type === "direct") return other ? nameOf(t, seen.contacts, other) : t("person.unknown")
  const family =
    seen.contacts.families.length > 1 && seen.contacts.families.find((each) => each.id === conversation.family_id)?.name
  return conversation.name || family || t(`kind.${conversation.type}`)
}

/** The text of a message, or a description of its attachments. */
function messageText(t: Translate, opened: Opened | undefined, message: Message): string {
  const body = text(t, opened)
  const [first] = attachmentsOf(message)
  return body === "" && first ? t(`attachment.${attachmentKind(first)}`) : body
}

export function text(t: Translate, opened: Opened | undefined): string {
  if (!opened) return ""
  return opened.kind === "text" ? opened.text : t(`message.${opened.kind}`)
}

interface ReadingContext extends Pick<ViewContext, "me" | "contacts"> {
  readonly reader: { read(message: Message): Opened | undefined }
}

/** The text of a message as its viewer sees it; for a deleted one, who deleted it. */
export function displayText(t: Translate, seen: ReadingContext, message: Message): string {
  const by = message.deleted_by
  if (message.deleted_at === null || by === null) return messageText(t, seen.reader.read(message), message)
  return by === seen.me.id ? t("message.removedByYou") : t("message.removedBy", { name: nameOf(t, seen.contacts, by) })
}

/** `Gran's tablet`: the kinds of a member's devices that have a message. */
function deviceOf(t: Translate, language: string, names: Names, { id, on }: Recipient): string {
  const name = nameOf(t, names, id)
  return on.length > 0 ? t("at.devices", { name, devices: kindsIn(t, language, on) }) : t("at.someDevice", { name })
}

/** `phone and tablet` */
export function kindsIn(t: Translate, language: string, kinds: readonly DeviceKind[]): string {
  return joined(
    language,
    kinds.map((kind) => t(`device.${kind}`)),
  )
}

function reasons(t: Translate, { reason, files = [] }: Extract<DeliveryStatus, { state: "refused" }>): string {
  const ofFile = (file: RefusedFile) => t("at.refusedFile", { name: file.name, why: t(refusalKey(file.reason)) })
  return files.length > 0 ? files.map(ofFile).join(" ") : t(refusalKey(reason))
}

export function statusText(t: Translate, language: string, names: Names, at: DeliveryStatus): string {
  const namesOf = (ids: readonly string[]) =>
    joined(
      language,
      ids.map((id) => nameOf(t, names, id)),
    )
  switch (at.state) {
    case "device":
    case "server":
      return t(`at.${at.state}`)
    case "refused":
      return t("at.refused", { why: reasons(t, at) })
    case "delivered":
      if (at.all && at.to.length > 1) return t("at.deliveredAll")
      return t("at.on", {
        devices: joined(
          language,
          at.to.map((each) => deviceOf(t, language, names, each)),
        ),
      })
    case "read":
      return at.all && at.by.length > 1 ? t("at.readAll") : t("at.readBy", { names: namesOf(at.by) })
  }
}
