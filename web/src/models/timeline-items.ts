/** Combines the messages of a timeline with the unsent ones at its end, as displayed. */
import type { Message } from "../api/types"
import type { OutgoingMessage, Outbox } from "./outbox"

export type TimelineItem =
  | {
      readonly kind: "stored"
      readonly id: string
      readonly user_id: string
      readonly sent_at: string
      readonly message: Message
    }
  | {
      readonly kind: "outgoing"
      readonly id: string
      readonly user_id: string
      readonly sent_at: string
      readonly outgoing: OutgoingMessage
    }

/** Returns the same item for an unchanged message, so that its component does not re-render. */
const known = new WeakMap<Message, TimelineItem>()

/**
 * The displayed part of a timeline, followed by the unsent messages.
 *
 * The user's own message keeps its key when it is stored, so that its component is updated in place.
 */
export function timelineItems(messages: readonly Message[], outbox: Outbox, me: string): readonly TimelineItem[] {
  const sentIds = new Set<string | null>()
  const stored = messages.map((message) => {
    if (message.user_id === me) sentIds.add(message.client_id)
    return itemFor(message, me)
  })
  const queued = outbox
    .filter((outgoing) => !sentIds.has(outgoing.client_id))
    .map((outgoing): TimelineItem => ({
      kind: "outgoing",
      id: outgoing.client_id,
      user_id: me,
      sent_at: outgoing.written_at,
      outgoing,
    }))
  return [...stored, ...queued]
}

function itemFor(message: Message, me: string): TimelineItem {
  const id = message.user_id === me && message.client_id !== null ? message.client_id : message.message_id
  const before = known.get(message)
  if (before?.id === id) return before
  const item = { kind: "stored", id, user_id: message.user_id, sent_at: message.inserted_at, message } as const
  known.set(message, item)
  return item
}
