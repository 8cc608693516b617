/** The order in which voice messages are played. */
import type { Message } from "../../api/types"
import { sharedIn, type SharedAttachment } from "./attachments"

/**
 * Returns the voice message with which playback continues: the next one of the same message, or else the one that
 * follows directly in the chat. After any other message, playback ends.
 */
export function followingVoiceMessage(
  messages: readonly Message[],
  { message, attachment }: SharedAttachment,
): SharedAttachment | undefined {
  const voices = voicesOf(message)
  const rest = voices.slice(voices.findIndex(({ attachment: { id } }) => id === attachment.id) + 1)
  const following = messages.find(({ seq, deleted_at }) => seq > message.seq && deleted_at === null)
  return rest[0] ?? (following && voicesOf(following)[0])
}

function voicesOf(message: Message): readonly SharedAttachment[] {
  return sharedIn([message], ["voice"])
}
