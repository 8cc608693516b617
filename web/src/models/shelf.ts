/** The list of conversations: the one in which something happened last comes first. */
import type { Conversation, Message } from "../realtime/shapes"

export type Shelf = readonly Conversation[]

/** Put a conversation on the shelf, or its newer state in the place of the older; a hidden one leaves it. */
export function put(shelf: Shelf, conversation: Conversation): Shelf {
  const others = drop(shelf, conversation.id)
  if (conversation.hidden || conversation.archived) return others
  const before = shelf.find((each) => each.id === conversation.id)
  return sorted([
    ...others,
    before && before.last_seq > conversation.last_seq ? keepNews(before, conversation) : conversation,
  ])
}

export function drop(shelf: Shelf, id: string): Shelf {
  return shelf.filter((conversation) => conversation.id !== id)
}

/** A message was said: it is the newest of its conversation, unless a newer one is known. */
export function said(shelf: Shelf, message: Message): Shelf {
  return sorted(
    shelf.map((each) =>
      each.id === message.conversation_id && message.seq >= each.last_seq
        ? { ...each, last_seq: message.seq, last_message: message }
        : each,
    ),
  )
}

export function setUnread(shelf: Shelf, id: string, unread: number): Shelf {
  return shelf.map((each) => (each.id === id ? { ...each, unread } : each))
}

export function totalUnread(shelf: Shelf): number {
  return shelf.reduce((sum, each) => sum + each.unread, 0)
}

function keepNews(before: Conversation, after: Conversation): Conversation {
  return { ...after, last_seq: before.last_seq, last_message: before.last_message }
}

function sorted(shelf: Shelf): Shelf {
  const moment = (each: Conversation) => each.last_message?.inserted_at ?? each.created_at
  return [...shelf].sort((a, b) => (moment(a) < moment(b) ? 1 : moment(a) > moment(b) ? -1 : 0))
}
