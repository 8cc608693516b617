/** The voice messages of a chat, one after the other. */
import type { SharedAttachment } from "../../../models/messages/attachments"
import { followingVoiceMessage } from "../../../models/messages/voice-messages"
import type { ChatClient } from "../../../sync/client.svelte"
import type { VoiceSource } from "./playback.svelte"

export function voiceSource(client: ChatClient, shared: SharedAttachment): VoiceSource {
  const { message, attachment } = shared
  return {
    key: `${message.message_id}.${attachment.id}`,
    load: () => client.media.load(message, attachment, "file"),
    length: attachment.duration_ms ?? 0,
    userId: message.user_id,
    next: () => {
      const messages = client.reader.withoutForged(client.conversation(message.conversation_id)?.shown.messages ?? [])
      const following = followingVoiceMessage(messages, shared)
      return following && voiceSource(client, following)
    },
  }
}
