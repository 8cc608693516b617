/** A timeline, or a part of it, with what still waits on this device at its end: what a person sees as one conversation. */
import type { Message } from "../api/types"
import type { Draft, Outbox } from "./outbox"

export type Entry =
  | {
      readonly kind: "stored"
      readonly id: string
      readonly user_id: string
      readonly moment: string
      readonly message: Message
    }
  | {
      readonly kind: "draft"
      readonly id: string
      readonly user_id: string
      readonly moment: string
      readonly draft: Draft
    }

/** A message is the same entry each time, so that whatever draws it has nothing to do until it changes. */
const known = new WeakMap<Message, Entry>()

/**
 * The drawn part of a timeline, and behind its end the drafts.
 *
 * A message of mine keeps its identity from draft to stored, so that it changes its state in its place.
 */
export function entries(messages: readonly Message[], waiting: Outbox, me: string): readonly Entry[] {
  const here = new Set<string | null>()
  const stored = messages.map((message) => {
    if (message.user_id === me) here.add(message.client_id)
    return entry(message, me)
  })
  const drafts = waiting
    .filter((draft) => !here.has(draft.client_id))
    .map((draft): Entry => ({ kind: "draft", id: draft.client_id, user_id: me, moment: draft.written_at, draft }))
  return [...stored, ...drafts]
}

function entry(message: Message, me: string): Entry {
  const id = message.user_id === me && message.client_id !== null ? message.client_id : message.message_id
  const before = known.get(message)
  if (before?.id === id) return before
  const made = { kind: "stored", id, user_id: message.user_id, moment: message.inserted_at, message } as const
  known.set(message, made)
  return made
}
