/** Combines the messages of a timeline with the unsent ones at its end, as displayed. */
import type { Message } from "../../api/types"
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

/** The item of a message is the same object until the message changes, so that its bubble is not updated before. */
const known = new WeakMap<Message | OutgoingMessage, TimelineItem>()

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
    .map((outgoing) => outgoingItem(outgoing, me))
  return [...stored, ...queued]
}

function outgoingItem(outgoing: OutgoingMessage, me: string): TimelineItem {
  const before = known.get(outgoing)
  if (before) return before
  const { client_id: id, written_at } = outgoing
  const item = { kind: "outgoing", id, user_id: me, sent_at: written_at, outgoing } as const
  known.set(outgoing, item)
  return item
}

function itemFor(message: Message, me: string): TimelineItem {
  const id = message.user_id === me && message.client_id !== null ? message.client_id : message.message_id
  const before = known.get(message)
  if (before?.id === id) return before
  const item = { kind: "stored", id, user_id: message.user_id, sent_at: message.inserted_at, message } as const
  known.set(message, item)
  return item
}
