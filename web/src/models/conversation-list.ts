/** The user's conversations: pinned ones first, then the most recently active. */
import type { ConversationSummary, Message } from "../api/types"

export type ConversationList = readonly ConversationSummary[]

/** A conversation without what each message changes. */
export type ConversationInfo = Omit<ConversationSummary, "last_seq" | "last_message" | "unread">

const CHANGED_BY_MESSAGES: ReadonlySet<string> = new Set(["last_seq", "last_message", "unread"])

/** Whether two states of a conversation differ only in what each message changes. */
export function isSameInfo(before: ConversationInfo, now: ConversationInfo): boolean {
  const values = new Map<string, unknown>(Object.entries(before))
  return Object.entries(now).every(([key, value]) => CHANGED_BY_MESSAGES.has(key) || values.get(key) === value)
}

/** Adds conversations, or replaces their older states. */
export function upsert(list: ConversationList, ...conversations: ConversationList): ConversationList {
  const known = new Map(list.map((each) => [each.id, each]))
  for (const conversation of conversations) {
    const before = known.get(conversation.id)
    known.set(
      conversation.id,
      before && before.last_seq > conversation.last_seq ? keepNewest(before, conversation) : conversation,
    )
  }
  return sorted([...known.values()])
}

export function without(list: ConversationList, id: string): ConversationList {
  return list.filter((conversation) => conversation.id !== id)
}

/** Conversations in the main list: neither hidden nor archived. */
export function listed(list: ConversationList): ConversationList {
  return list.filter((each) => !each.hidden && !each.archived)
}

/** Conversations that are hidden until the next message. Archived ones stay archived then. */
export function hiddenOnly(list: ConversationList): ConversationList {
  return list.filter((each) => each.hidden && !each.archived)
}

export function archivedIn(list: ConversationList): ConversationList {
  return list.filter((each) => each.archived)
}

export function isMuted(conversation: Pick<ConversationSummary, "muted_until">, now: Date): boolean {
  return conversation.muted_until !== null && new Date(conversation.muted_until) > now
}

/** Applies a new message as its conversation's latest, unless a newer one is known. */
export function withNewMessage(list: ConversationList, message: Message): ConversationList {
  return sorted(
    list.map((each) =>
      each.id === message.conversation_id && message.seq >= each.last_seq
        ? { ...each, last_seq: message.seq, last_message: message, hidden: false }
        : each,
    ),
  )
}

/** Applies a changed message if it is its conversation's latest. */
export function withChangedMessage(list: ConversationList, message: Message): ConversationList {
  return list.map((each) =>
    each.last_message?.message_id === message.message_id && each.last_message.change < message.change
      ? { ...each, last_message: message }
      : each,
  )
}

export function withUnread(list: ConversationList, id: string, unread: number): ConversationList {
  return list.map((each) => (each.id === id && each.unread !== unread ? { ...each, unread } : each))
}

/** Unread messages in conversations that are not muted. A conversation that is marked as unread counts as one. */
export function totalUnread(list: ConversationList, now: Date): number {
  const countOf = (each: ConversationSummary) => Math.max(each.unread, each.marked_unread ? 1 : 0)
  return listed(list).reduce((sum, each) => sum + (isMuted(each, now) ? 0 : countOf(each)), 0)
}

function keepNewest(before: ConversationSummary, after: ConversationSummary): ConversationSummary {
  return { ...after, last_seq: before.last_seq, last_message: before.last_message }
}

function sorted(list: ConversationList): ConversationList {
  const moment = (each: ConversationSummary) => each.last_message?.inserted_at ?? each.created_at
  // Data stored by an older version says nothing about pins.
  const pin = (each: ConversationSummary) => (each.pinned ? 1 : 0)
  return [...list].sort((a, b) => pin(b) - pin(a) || (moment(a) < moment(b) ? 1 : moment(a) > moment(b) ? -1 : 0))
}
