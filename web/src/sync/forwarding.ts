/** Sends a message on to other conversations, with its files. */
import type { Attachment, Message } from "../api/types"
import { attachmentKind, attachmentsOf, type PendingAttachment } from "../models/messages/attachments"
import type { ChatClient } from "./client.svelte"

/**
 * Sends a message that this device can read on to conversations.
 *
 * @throws {ApiError} the user may no longer see a file, or this device cannot decrypt it
 * @throws {Unreachable} a file was not viewed before, and there is no response
 */
export async function forward(client: ChatClient, message: Message, conversationIds: readonly string[]): Promise<void> {
  const opened = client.reader.read(message)
  if (opened?.kind !== "text") return
  // Before anything is sent, so that a failure leaves nothing half done.
  const copies = await Promise.all(conversationIds.map(() => copyFiles(client, message)))
  await Promise.all(conversationIds.map((id, index) => client.forward(id, opened.text, copies[index] ?? [])))
}

async function copyFiles(client: ChatClient, message: Message): Promise<readonly PendingAttachment[]> {
  const copies = attachmentsOf(message).map(async (attachment) => {
    const blob = await client.media.load(message, attachment, "file")
    const { name, duration_ms, waveform } = attachment
    const kind = attachmentKind(attachment)
    const recorded = duration_ms !== null && waveform !== null ? { duration_ms, waveform } : {}
    const copy = await client.pendingAttachments.prepare({
      kind: kind === "video" ? "file" : kind, // as it was sent
      name: name ?? "",
      blob,
      ...recorded,
      ...(await measured(client, message, attachment)),
    })
    // The sender has decided already what a photo reveals.
    return { ...copy, keep_metadata: copy.kind === "image" }
  })
  return await Promise.all(copies)
}

/** Returns what the sender's device found in a video. */
async function measured(client: ChatClient, message: Message, attachment: Attachment) {
  if (!attachment.video) return {}
  const { poster, ...video } = attachment.video
  const picture = poster ? await client.media.find(message, attachment, "thumbnail") : undefined
  return { video, ...(picture && { picture }) }
}
