/**
 * What was written here and is not yet known to be on the server.
 *
 * Each draft keeps the `client_id` that it was born with: however often it is sent, the server stores it once.
 */
import type { Sealed } from "../crypto/seal"
import type { ErrorReply } from "../api/types"
import type { PendingAttachment } from "./attachments"

export interface OutgoingMessage {
  readonly client_id: string
  readonly conversation_id: string
  /** What was written, to show it here. */
  readonly text: string
  /** What is sent. Made once: another ciphertext under the same `client_id` would be another message. */
  readonly sealed: Sealed
  /** The message that it answers. */
  readonly reply_to?: string
  readonly written_at: string
  /** Photos, files and voice notes that go with it. */
  readonly enclosures?: readonly PendingAttachment[]
  /** Why the server will never take it; the person decides then. */
  readonly refused?: string
}

export type Outbox = readonly OutgoingMessage[]

/** Refusals that pass by themselves: the draft stays and is sent again. */
const TRANSIENT = new Set(["rate_limited", "unavailable", "internal_error", "unmatched topic", "timeout"])
const RETRY_MS = 2_000
const MAX_RETRY_MS = 60_000

export function withMessage(outbox: Outbox, message: OutgoingMessage): Outbox {
  return [...outbox, message]
}

export function withoutMessage(outbox: Outbox, clientId: string | null): Outbox {
  return clientId === null ? outbox : outbox.filter((message) => message.client_id !== clientId)
}

/** All that waits in a conversation, what was refused too. */
export function waitingIn(outbox: Outbox, conversationId: string): Outbox {
  return outbox.filter((message) => message.conversation_id === conversationId)
}

/** What is still to be sent in a conversation, in the order in which it was written. */
export function sendable(outbox: Outbox, conversationId: string): Outbox {
  return waitingIn(outbox, conversationId).filter((message) => message.refused === undefined)
}

/**
 * What to send next, if anything: one message after the other, so that they keep their order. One that has been bringing
 * its files for a while is passed by those that are nothing but words, or a film would hold them for minutes.
 *
 * @param inFlight those that are being sent
 * @param slow whether they have been for a while
 */
export function nextToSend(
  outbox: Outbox,
  conversationId: string,
  inFlight: ReadonlySet<string>,
  slow: boolean,
): OutgoingMessage | undefined {
  const sendableNow = sendable(outbox, conversationId)
  if (inFlight.size === 0) return sendableNow[0]
  const sent = sendableNow.filter((message) => inFlight.has(message.client_id))
  if (!slow || !sent.every(hasFiles)) return undefined
  return sendableNow.find((message) => !inFlight.has(message.client_id) && !hasFiles(message))
}

function hasFiles({ enclosures = [] }: OutgoingMessage): boolean {
  return enclosures.length > 0
}

export function isTransient(refusal: ErrorReply): boolean {
  return TRANSIENT.has(refusal.reason)
}

/** How long to wait before the `attempt`-th repetition (from 1): as told, or longer each time. */
export function retryDelay(refusal: ErrorReply, attempt: number): number {
  return refusal.retry_in_ms ?? Math.min(RETRY_MS * 2 ** (attempt - 1), MAX_RETRY_MS)
}

/** Keep a draft that the server will not take, with the reason. */
export function withRefusal(outbox: Outbox, clientId: string, reason: string): Outbox {
  return outbox.map((message) => (message.client_id === clientId ? { ...message, refused: reason } : message))
}

/** Note what the server calls one of the files of a draft. */
export function withUploadId(outbox: Outbox, clientId: string, key: string, uploadId: string): Outbox {
  return outbox.map((message) => {
    if (message.client_id !== clientId || !message.enclosures) return message
    const enclosures = message.enclosures.map((each) => (each.key === key ? { ...each, upload_id: uploadId } : each))
    return { ...message, enclosures: enclosures }
  })
}

/** Try a refused draft once more. */
export function withRetry(outbox: Outbox, clientId: string): Outbox {
  return outbox.map((message) => {
    if (message.client_id !== clientId) return message
    const { refused: _, ...retried } = message
    return retried
  })
}

/** Try a refused draft once more with its photos as they are, in uploads of which the server hears anew. */
export function withRetryUnprocessed(outbox: Outbox, clientId: string): Outbox {
  return withRetry(outbox, clientId).map((message) =>
    message.client_id === clientId && message.enclosures
      ? { ...message, enclosures: message.enclosures.map(unprocessed) }
      : message,
  )
}

function unprocessed({ upload_id: _, ...enclosure }: PendingAttachment): PendingAttachment {
  return { ...enclosure, keep_metadata: enclosure.kind === "image" }
}
