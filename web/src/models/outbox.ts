/**
 * What was written here and is not yet known to be on the server.
 *
 * Each draft keeps the `client_id` that it was born with: however often it is sent, the server stores it once.
 */
import type { Sealed } from "../crypto/seal"
import type { Refusal } from "../api/types"
import type { Enclosure } from "./attachments"

export interface Draft {
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
  readonly enclosures?: readonly Enclosure[]
  /** Why the server will never take it; the person decides then. */
  readonly refused?: string
}

export type Outbox = readonly Draft[]

/** Refusals that pass by themselves: the draft stays and is sent again. */
const PASSING = new Set(["rate_limited", "unavailable", "internal_error", "unmatched topic", "timeout"])
const PATIENCE_MS = 2_000
const MOST_PATIENCE_MS = 60_000

export function add(outbox: Outbox, draft: Draft): Outbox {
  return [...outbox, draft]
}

export function remove(outbox: Outbox, clientId: string | null): Outbox {
  return clientId === null ? outbox : outbox.filter((draft) => draft.client_id !== clientId)
}

/** All that waits in a conversation, what was refused too. */
export function waiting(outbox: Outbox, conversationId: string): Outbox {
  return outbox.filter((draft) => draft.conversation_id === conversationId)
}

/** What is still to be sent in a conversation, in the order in which it was written. */
export function due(outbox: Outbox, conversationId: string): Outbox {
  return waiting(outbox, conversationId).filter((draft) => draft.refused === undefined)
}

/**
 * What to send next, if anything: one message after the other, so that they keep their order. One that has been bringing
 * its files for a while is passed by those that are nothing but words, or a film would hold them for minutes.
 *
 * @param underway those that are being sent
 * @param slow whether they have been for a while
 */
export function next(
  outbox: Outbox,
  conversationId: string,
  underway: ReadonlySet<string>,
  slow: boolean,
): Draft | undefined {
  const waits = due(outbox, conversationId)
  if (underway.size === 0) return waits[0]
  const sent = waits.filter((draft) => underway.has(draft.client_id))
  if (!slow || !sent.every(bringsFiles)) return undefined
  return waits.find((draft) => !underway.has(draft.client_id) && !bringsFiles(draft))
}

function bringsFiles({ enclosures = [] }: Draft): boolean {
  return enclosures.length > 0
}

export function passes(refusal: Refusal): boolean {
  return PASSING.has(refusal.reason)
}

/** How long to wait before the `attempt`-th repetition (from 1): as told, or longer each time. */
export function patience(refusal: Refusal, attempt: number): number {
  return refusal.retry_in_ms ?? Math.min(PATIENCE_MS * 2 ** (attempt - 1), MOST_PATIENCE_MS)
}

/** Keep a draft that the server will not take, with the reason. */
export function refuse(outbox: Outbox, clientId: string, reason: string): Outbox {
  return outbox.map((draft) => (draft.client_id === clientId ? { ...draft, refused: reason } : draft))
}

/** Note what the server calls one of the files of a draft. */
export function label(outbox: Outbox, clientId: string, key: string, uploadId: string): Outbox {
  return outbox.map((draft) => {
    if (draft.client_id !== clientId || !draft.enclosures) return draft
    const labelled = draft.enclosures.map((each) => (each.key === key ? { ...each, upload_id: uploadId } : each))
    return { ...draft, enclosures: labelled }
  })
}

/** Try a refused draft once more. */
export function retry(outbox: Outbox, clientId: string): Outbox {
  return outbox.map((draft) => {
    if (draft.client_id !== clientId) return draft
    const { refused: _, ...again } = draft
    return again
  })
}

/** Try a refused draft once more with its photos as they are, in uploads of which the server hears anew. */
export function retryAsItIs(outbox: Outbox, clientId: string): Outbox {
  return retry(outbox, clientId).map((draft) =>
    draft.client_id === clientId && draft.enclosures ? { ...draft, enclosures: draft.enclosures.map(asItIs) } : draft,
  )
}

function asItIs({ upload_id: _, ...enclosure }: Enclosure): Enclosure {
  return { ...enclosure, keep_metadata: enclosure.kind === "image" }
}
