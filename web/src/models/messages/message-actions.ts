/** The actions a user may perform on a message. The server enforces the same rules. */
import type { Message } from "../../api/types"
import type { Opened } from "../../crypto/seal"
import { attachmentsOf } from "./attachments"
import type { ConversationInfo } from "../conversation-list"
import { roleOf } from "../people/permissions"

export interface MessageActions {
  readonly react: boolean
  readonly reply: boolean
  readonly forward: boolean
  /** Pin the message for all members, or unpin it. */
  readonly pin: boolean
  /** Star the message, and delete it for oneself. */
  readonly mark: boolean
  readonly edit: boolean
  readonly remove: boolean
  /** The message has an edit history. */
  readonly history: boolean
  /** The user's own message has a delivery status. */
  readonly info: boolean
}

/** The message types that this client writes: text, and attachments with text. */
const EDITABLE = new Set(["text", "image", "file", "voice"])
const EDITABLE_MS = 24 * 60 * 60 * 1000

/** Returns the last message of a user if it can be edited. `messages` are in the order of the conversation. */
export function lastEditable(
  messages: readonly Message[],
  conversation: ConversationInfo,
  me: string,
  now: Date,
  read: (message: Message) => Opened | undefined,
): Message | undefined {
  const last = messages.findLast((each) => each.user_id === me && each.deleted_at === null)
  return last && messageActions(last, conversation, me, now, read(last)).edit ? last : undefined
}

export function messageActions(
  message: Message,
  conversation: ConversationInfo,
  me: string,
  now: Date,
  opened?: Opened,
): MessageActions {
  const exists = message.deleted_at === null
  const readable = opened?.kind === "text"
  const forwarded = readable && opened.forwarded === true
  const own = message.user_id === me
  const isAdmin = roleOf(conversation, me) === "admin"
  const admin = conversation.type === "group" && isAdmin
  const hasAdmins = conversation.type === "group" || conversation.type === "family"
  const open = conversation.contact === null || conversation.contact === "open"
  const recent = now.getTime() - new Date(message.inserted_at).getTime() < EDITABLE_MS
  return {
    react: exists && conversation.encryption_policy !== "required", // reactions are not encrypted yet
    reply: exists,
    forward: exists && readable && attachmentsOf(message).every(({ encrypted }) => !encrypted),
    pin: exists && open && (isAdmin || !hasAdmins),
    mark: exists,
    edit: exists && own && recent && !forwarded && EDITABLE.has(message.message_type),
    remove: exists && (own || admin),
    history: exists && message.edited_at !== null,
    info: exists && own && conversation.type !== "self",
  }
}
