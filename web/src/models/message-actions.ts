/** What somebody may do to a message. The server holds everybody to the same. */
import type { Conversation, Message } from "../api/types"
import { roleOf } from "./permissions"

export interface Deeds {
  readonly react: boolean
  readonly reply: boolean
  readonly edit: boolean
  readonly remove: boolean
  /** It said something else before. */
  readonly earlier: boolean
}

/** What this client writes: words, and what words can go with. */
const EDITABLE = new Set(["text", "image", "file", "voice"])
const EDITABLE_MS = 24 * 60 * 60 * 1000

export function deeds(message: Message, conversation: Conversation, me: string, now: Date): Deeds {
  const there = message.deleted_at === null
  const own = message.user_id === me
  const admin = conversation.type === "group" && roleOf(conversation, me) === "admin"
  const fresh = now.getTime() - new Date(message.inserted_at).getTime() < EDITABLE_MS
  return {
    react: there,
    reply: there,
    edit: there && own && fresh && EDITABLE.has(message.message_type),
    remove: there && (own || admin),
    earlier: there && message.edited_at !== null,
  }
}
