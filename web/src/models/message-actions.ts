/** What somebody may do to a message. The server holds everybody to the same. */
import type { ConversationSummary, Message } from "../api/types"
import { roleOf } from "./permissions"

export interface MessageActions {
  readonly react: boolean
  readonly reply: boolean
  readonly edit: boolean
  readonly remove: boolean
  /** It said something else before. */
  readonly history: boolean
}

/** What this client writes: words, and what words can go with. */
const EDITABLE = new Set(["text", "image", "file", "voice"])
const EDITABLE_MS = 24 * 60 * 60 * 1000

export function messageActions(
  message: Message,
  conversation: ConversationSummary,
  me: string,
  now: Date,
): MessageActions {
  const exists = message.deleted_at === null
  const own = message.user_id === me
  const admin = conversation.type === "group" && roleOf(conversation, me) === "admin"
  const recent = now.getTime() - new Date(message.inserted_at).getTime() < EDITABLE_MS
  return {
    react: exists,
    reply: exists,
    edit: exists && own && recent && EDITABLE.has(message.message_type),
    remove: exists && (own || admin),
    history: exists && message.edited_at !== null,
  }
}
