/**
 * Messages written on this device that are not known to be on the server.
 *
 * Each keeps its `client_id`, so the server stores it once, however often it is sent.
 */
import type { Sealed } from "../crypto/seal"
import type { ErrorReply } from "../api/types"
import type { PendingAttachment } from "./attachments"

export interface OutgoingMessage {
  readonly client_id: string
  readonly conversation_id: string
  /** The plaintext, for display. */
  readonly text: string
  /** The payload to send. Created once: a different ciphertext under the same `client_id` would be another message. */
  readonly sealed: Sealed
  /** The message it replies to. */
  readonly reply_to?: string
  readonly written_at: string
  /** Attached photos, files and voice notes. */
  readonly enclosures?: readonly PendingAttachment[]
  /** Why the server permanently rejected it; the user decides what to do. */
  readonly refused?: string
}

export type Outbox = readonly OutgoingMessage[]

/** Temporary errors: the message stays and is sent again. */
const TRANSIENT = new Set(["rate_limited", "unavailable", "internal_error", "unmatched topic", "timeout"])
const RETRY_MS = 2_000
const MAX_RETRY_MS = 60_000

export function withMessage(outbox: Outbox, message: OutgoingMessage): Outbox {
  return [...outbox, message]
}

export function withoutMessage(outbox: Outbox, clientId: string | null): Outbox {
  return clientId === null ? outbox : outbox.filter((message) => message.client_id !== clientId)
}

/** All unsent messages of a conversation, including rejected ones. */
export function waitingIn(outbox: Outbox, conversationId: string): Outbox {
  return outbox.filter((message) => message.conversation_id === conversationId)
}

/** Messages to be sent in a conversation, in the order of writing. */
export function sendable(outbox: Outbox, conversationId: string): Outbox {
  return waitingIn(outbox, conversationId).filter((message) => message.refused === undefined)
}

/**
 * Returns the message to send next, if any. Messages are sent one at a time to keep their order, except that text-only
 * messages overtake one whose files have been uploading for a while; otherwise a video would block them for minutes.
 *
 * @param inFlight messages being sent
 * @param slow whether they have been uploading for a while
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

/** Milliseconds before retry number `attempt` (from 1): as the server requested, or exponential. */
export function retryDelay(refusal: ErrorReply, attempt: number): number {
  return refusal.retry_in_ms ?? Math.min(RETRY_MS * 2 ** (attempt - 1), MAX_RETRY_MS)
}

/** Marks a message as rejected, with the reason. */
export function withRefusal(outbox: Outbox, clientId: string, reason: string): Outbox {
  return outbox.map((message) => (message.client_id === clientId ? { ...message, refused: reason } : message))
}

/** Records the server's id of an attachment's upload. */
export function withUploadId(outbox: Outbox, clientId: string, key: string, uploadId: string): Outbox {
  return outbox.map((message) => {
    if (message.client_id !== clientId || !message.enclosures) return message
    const enclosures = message.enclosures.map((each) => (each.key === key ? { ...each, upload_id: uploadId } : each))
    return { ...message, enclosures: enclosures }
  })
}

/** Marks a rejected message for a retry. */
export function withRetry(outbox: Outbox, clientId: string): Outbox {
  return outbox.map((message) => {
    if (message.client_id !== clientId) return message
    const { refused: _, ...retried } = message
    return retried
  })
}

/** Marks a rejected message for a retry with its original photos, in new uploads. */
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
