/** Fetches starred messages: the marks contain only their places. */
import type { Message, MessagePage } from "../api/types"
import { messageAt } from "../models/messages/timeline"
import type { ChatClient } from "./client.svelte"

/** Messages per request: stars are often close together. */
const PAGE = 30

/**
 * Returns messages of a conversation by their `seq`, the newest first, decrypted as far as this device can. Those that the
 * user may no longer see are missing.
 *
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} a message is not on this device, and there is no response
 */
export async function fetchStarred(client: ChatClient, id: string, seqs: readonly number[]): Promise<Message[]> {
  const timeline = client.conversation(id)?.timeline
  const found = new Map(seqs.map((seq) => [seq, timeline && messageAt(timeline, seq)]))
  const missing = seqs.filter((seq) => !found.get(seq)).sort((a, b) => b - a)
  for (let seq = missing[0]; seq !== undefined;) {
    const path = `/conversations/${id}/messages?before_seq=${seq + 1}&limit=${PAGE}`
    const { messages } = await client.session.request<MessagePage>("GET", path)
    for (const message of messages) if (found.has(message.seq)) found.set(message.seq, message)
    const oldest = Math.min(seq, ...messages.map((message) => message.seq))
    seq = messages.length === 0 ? undefined : missing.find((each) => each < oldest)
  }
  const newestFirst = [...found.values()].filter((message) => message !== undefined).sort((a, b) => b.seq - a.seq)
  await client.reader.open(newestFirst)
  return newestFirst
}
