/** The maximum length of a message. The server counts the bytes of its UTF-8. */
import { wellFormed } from "../../api/json"

const MAX_BODY_BYTES = 64 * 1024
const MAX_BYTES_PER_UNIT = 3

/** Returns about how many characters a text is too long; 0 if the server accepts it. */
export function excessCharacters(text: string): number {
  if (text.length * MAX_BYTES_PER_UNIT <= MAX_BODY_BYTES) return 0
  const bytes = new TextEncoder().encode(wellFormed(text)).length
  return Math.max(0, Math.ceil((text.length * (bytes - MAX_BODY_BYTES)) / bytes))
}
