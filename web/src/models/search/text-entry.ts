/** What the search keeps of a message, and which of two versions is current. */
import type { Message } from "../../api/types"
import type { Opened } from "../../crypto/seal"

export interface TextEntry {
  readonly conversationId: string
  readonly seq: number
  readonly userId: string
  /** RFC 3339. */
  readonly sentAt: string
  readonly editedAt: string | null
  /** `Message.change`. */
  readonly change: number
  /** Empty if there is no text, or if the message is deleted; null if this device cannot decrypt it. */
  readonly text: string | null
}

export function textEntry(message: Message, opened: Opened): TextEntry {
  return {
    conversationId: message.conversation_id,
    seq: message.seq,
    userId: message.user_id,
    sentAt: message.inserted_at,
    editedAt: message.edited_at,
    change: message.change,
    // A plaintext that is locked was forged, and must not be found.
    text: opened.kind === "text" ? opened.text : opened.kind === "locked" && message.encryption_flag ? null : "",
  }
}

/**
 * Returns the entry to keep. An older version never replaces a newer one. A text that was decrypted once is kept while it
 * is not edited or deleted: the device may be unable to decrypt it a second time.
 */
export function currentEntry(known: TextEntry | undefined, arrived: TextEntry): TextEntry {
  if (known === undefined) return arrived
  if (arrived.change < known.change) return known
  const stillCurrent = arrived.text === null && known.text && arrived.editedAt === known.editedAt
  return stillCurrent ? { ...arrived, text: known.text } : arrived
}
