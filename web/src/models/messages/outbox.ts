/**
 * Messages written on this device that are not known to be on the server.
 *
 * Each keeps its `client_id`, so the server stores it once, however often it is sent.
 */
import type { Sealed } from "../../crypto/seal"
import type { ErrorReply } from "../../api/types"
import { canSendOriginal, withoutUpload, type PendingAttachment } from "./attachments"
import { asForwarded } from "../../crypto/forwarded"
import type { DeliveryStatus } from "./receipts"

export interface OutgoingMessage {
  readonly client_id: string
  readonly conversation_id: string
  /** The plaintext, for display. */
  readonly text: string
  readonly forwarded?: true
  /**
   * The body to send. Where encryption is required, it is encrypted when it is sent, and stays the same until the server
   * has refused it: a different ciphertext under the same `client_id` would be another message.
   */
  readonly sealed: Sealed
  /** The message it replies to. */
  readonly reply_to?: string
  readonly written_at: string
  /** Attached photos, files and voice notes. */
  readonly enclosures?: readonly PendingAttachment[]
  /** Why the server permanently rejected it; the user decides what to do. If it rejected files, each has its reason. */
  readonly refused?: string
}

/** How a rejected message can be sent, besides by editing it: only ways that may succeed. */
export interface RefusedChoices {
  readonly retry: boolean
  /** Send the rejected photos unchanged. */
  readonly original: boolean
  /** Send the rest without these files. */
  readonly without: readonly PendingAttachment[]
}

export type Outbox = readonly OutgoingMessage[]

/** Temporary errors: the message stays and is sent again. */
const TRANSIENT = new Set([
  "rate_limited",
  "unavailable",
  "internal_error",
  "unmatched topic",
  "timeout",
  "encryption_not_ready",
])
/** Errors that repeat until the message is changed. */
const FINAL = new Set([
  ...["message_too_large", "invalid_message", "invalid_request", "conflict", "invalid_encryption_metadata"],
  ...["encryption_required", "file_too_large", "picture_too_large", "picture_unreadable", "file_gone", "file_changed"],
])
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

/** The text to send: with the mark of a forwarded message. */
export function sentText({ text, forwarded }: Pick<OutgoingMessage, "text" | "forwarded">): string {
  return forwarded ? asForwarded(text) : text
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

/** Replaces the body to send. */
export function withSealed(outbox: Outbox, clientId: string, sealed: Sealed): Outbox {
  return outbox.map((message) => (message.client_id === clientId ? { ...message, sealed } : message))
}

/** Records the server's id of an attachment's upload. */
export function withUploadId(outbox: Outbox, clientId: string, key: string, uploadId: string): Outbox {
  return outbox.map((message) =>
    withEnclosures(message, clientId, (each) => [each.key === key ? { ...each, upload_id: uploadId } : each]),
  )
}

/** Marks a message as rejected because of files, with the reason for each by its key. */
export function withRefusedFiles(outbox: Outbox, clientId: string, reasons: ReadonlyMap<string, string>): Outbox {
  const [reason = ""] = reasons.values()
  return withRefusal(outbox, clientId, reason).map((message) =>
    withEnclosures(message, clientId, (each) => {
      const refused = reasons.get(each.key)
      return [refused === undefined ? each : { ...withoutUpload(each), refused }]
    }),
  )
}

/** Marks a rejected message for a retry. */
export function withRetry(outbox: Outbox, clientId: string): Outbox {
  return outbox.map((message) => {
    if (message.client_id !== clientId) return message
    const { refused: _, ...retried } = message
    return withEnclosures(retried, clientId, ({ refused: __, ...each }) => [each])
  })
}

/** Marks a rejected message for a retry with its rejected photos unchanged. */
export function withRetryUnprocessed(outbox: Outbox, clientId: string): Outbox {
  const chosen = outbox.map((message) =>
    withEnclosures(message, clientId, (each) => [canSendOriginal(each) ? { ...each, keep_metadata: true } : each]),
  )
  return withRetry(chosen, clientId)
}

/** Marks a rejected message for a retry without its rejected files. */
export function withoutRefusedFiles(outbox: Outbox, clientId: string): Outbox {
  const rest = outbox.map((message) =>
    withEnclosures(message, clientId, (each) => (each.refused === undefined ? [each] : [])),
  )
  return withRetry(rest, clientId)
}

/** The status of an unsent message. */
export function outgoingStatus({ refused, enclosures = [] }: OutgoingMessage): DeliveryStatus {
  if (refused === undefined) return { state: "device" }
  const files = enclosures.flatMap(({ name, refused: reason }) => (reason === undefined ? [] : [{ name, reason }]))
  return { state: "refused", reason: refused, files }
}

export function refusedChoices({ text, refused = "", enclosures = [] }: OutgoingMessage): RefusedChoices {
  const files = enclosures.filter((each) => each.refused !== undefined)
  return {
    retry: ![refused, ...files.map((each) => each.refused ?? "")].some((reason) => FINAL.has(reason)),
    original: files.length > 0 && files.every(canSendOriginal),
    without: text !== "" || files.length < enclosures.length ? files : [],
  }
}

/** Changes the attachments of one message. Without attachments, it has no such field. */
function withEnclosures(
  message: OutgoingMessage,
  clientId: string,
  change: (attachment: PendingAttachment) => readonly PendingAttachment[],
): OutgoingMessage {
  if (message.client_id !== clientId || !message.enclosures) return message
  const { enclosures, ...rest } = message
  const changed = enclosures.flatMap(change)
  return changed.length > 0 ? { ...rest, enclosures: changed } : rest
}
