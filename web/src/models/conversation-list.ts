/** Somebody's conversations: the one in which something happened last comes first. */
import type { Conversation, Message } from "../api/types"

export type Shelf = readonly Conversation[]

/** Put a conversation on the shelf, or its newer state in the place of the older. */
export function put(shelf: Shelf, conversation: Conversation): Shelf {
  const others = drop(shelf, conversation.id)
  const before = shelf.find((each) => each.id === conversation.id)
  return sorted([
    ...others,
    before && before.last_seq > conversation.last_seq ? keepNews(before, conversation) : conversation,
  ])
}

export function drop(shelf: Shelf, id: string): Shelf {
  return shelf.filter((conversation) => conversation.id !== id)
}

/** What is listed at once; the rest was put away. */
export function atHand(shelf: Shelf): Shelf {
  return shelf.filter((each) => !each.hidden && !each.archived)
}

/** What was hidden, until something is said in it, or archived, until further notice. */
export function putAway(shelf: Shelf): Shelf {
  return shelf.filter((each) => each.hidden || each.archived)
}

export function isMuted(conversation: Conversation, now: Date): boolean {
  return conversation.muted_until !== null && new Date(conversation.muted_until) > now
}

/** A message was said: it is the newest of its conversation, unless a newer one is known. */
export function said(shelf: Shelf, message: Message): Shelf {
  return sorted(
    shelf.map((each) =>
      each.id === message.conversation_id && message.seq >= each.last_seq
        ? { ...each, last_seq: message.seq, last_message: message, hidden: false }
        : each,
    ),
  )
}

/** A message has changed: if it is the newest of its conversation, that is what is listed. */
export function amended(shelf: Shelf, message: Message): Shelf {
  return shelf.map((each) =>
    each.last_message?.message_id === message.message_id && each.last_message.change < message.change
      ? { ...each, last_message: message }
      : each,
  )
}

export function setUnread(shelf: Shelf, id: string, unread: number): Shelf {
  return shelf.map((each) => (each.id === id ? { ...each, unread } : each))
}

/** How much is unread that its person wants to hear of. */
export function totalUnread(shelf: Shelf, now: Date): number {
  return atHand(shelf).reduce((sum, each) => sum + (isMuted(each, now) ? 0 : each.unread), 0)
}

function keepNews(before: Conversation, after: Conversation): Conversation {
  return { ...after, last_seq: before.last_seq, last_message: before.last_message }
}

function sorted(shelf: Shelf): Shelf {
  const moment = (each: Conversation) => each.last_message?.inserted_at ?? each.created_at
  return [...shelf].sort((a, b) => (moment(a) < moment(b) ? 1 : moment(a) > moment(b) ? -1 : 0))
}
