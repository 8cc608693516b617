/** The maximum length of a message. The server counts the bytes of its UTF-8. */
import { wellFormed } from "../../api/json"

const MAX_BODY_BYTES = 64 * 1024
/** Encrypted bodies are larger than their texts, which are in JSON there; see `crypto/content`. */
const MAX_ENCRYPTED_BYTES = 43_900
const MAX_BYTES_PER_UNIT = 6

/** Returns about how many characters a text is too long; 0 if the server accepts it. */
export function excessCharacters(text: string, encrypted = false): number {
  const most = encrypted ? MAX_ENCRYPTED_BYTES : MAX_BODY_BYTES
  if (text.length * MAX_BYTES_PER_UNIT <= most) return 0
  const sent = wellFormed(text)
  const bytes = new TextEncoder().encode(encrypted ? JSON.stringify(sent) : sent).length
  return Math.max(0, Math.ceil((text.length * (bytes - most)) / bytes))
}
