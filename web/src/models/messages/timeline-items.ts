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
  const stored = messages.map((message) => known.get(message) ?? newItem(message, me))
  if (outbox.length === 0) return stored
  const storedIds = new Set(stored.map(({ id }) => id))
  const queued = outbox
    .filter((outgoing) => !storedIds.has(outgoing.client_id))
    .map((outgoing) => outgoingItem(outgoing, me))
  return [...stored, ...queued]
}

/** The user's own message keeps the key that it had while it was outgoing. */
export function itemId({ message_id, user_id, client_id }: Message, me: string): string {
  return user_id === me && client_id !== null ? client_id : message_id
}

/** The last stored message of a user. */
export function newestStoredOf(user: string, items: readonly TimelineItem[]): TimelineItem | undefined {
  for (let index = items.length - 1; index >= 0; index--) {
    const item = items[index]
    if (item?.kind === "stored" && item.user_id === user) return item
  }
  return undefined
}

function outgoingItem(outgoing: OutgoingMessage, me: string): TimelineItem {
  const before = known.get(outgoing)
  if (before) return before
  const { client_id: id, written_at } = outgoing
  const item = { kind: "outgoing", id, user_id: me, sent_at: written_at, outgoing } as const
  known.set(outgoing, item)
  return item
}

function newItem(message: Message, me: string): TimelineItem {
  const id = itemId(message, me)
  const item = { kind: "stored", id, user_id: message.user_id, sent_at: message.inserted_at, message } as const
  known.set(message, item)
  return item
}
