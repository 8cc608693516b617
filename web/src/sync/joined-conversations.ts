/**
 * Decides which conversations are joined: the most recently opened ones, and those with messages to send. The server
 * limits the channels of a connection, and a join costs it some milliseconds. What happens in the other conversations
 * arrives on the user's channel.
 */
import { SvelteSet } from "svelte/reactivity"

import type { Conversation } from "./conversation.svelte"

export const MAX_JOINED = 20

export class JoinedConversations {
  /** The least recently used one first. */
  readonly #used = new SvelteSet<Conversation>()
  /** The conversation that the user opened last, which stays joined. */
  #opened: Conversation | undefined

  /** Joins the conversation that the user opens. */
  open(conversation: Conversation): void {
    this.#opened = conversation
    this.#use(conversation)
    this.#leaveOldest(MAX_JOINED)
  }

  /** Joins a conversation with messages to send. If all others are needed, it has to wait for one of them. */
  joinToSend(conversation: Conversation): void {
    this.#leaveOldest(this.has(conversation) ? MAX_JOINED : MAX_JOINED - 1)
    if (this.has(conversation) || this.#used.size < MAX_JOINED) this.#use(conversation)
  }

  /** Joins conversations, most important first, as far as there is room. */
  fill(conversations: readonly Conversation[]): void {
    const others = conversations.filter((each) => !this.has(each))
    // The most important one is the last to leave.
    for (const each of others.slice(0, Math.max(MAX_JOINED - this.#used.size, 0)).reverse()) this.#use(each)
  }

  /** Leaves a conversation. */
  leave(conversation: Conversation): void {
    this.#used.delete(conversation)
    if (this.#opened === conversation) this.#opened = undefined
    conversation.leave()
  }

  has(conversation: Conversation): boolean {
    return this.#used.has(conversation)
  }

  /** The users who are online in a joined conversation. Reactive. */
  get online(): ReadonlySet<string> {
    return new Set([...this.#used].flatMap(({ online }) => online))
  }

  #use(conversation: Conversation): void {
    this.#used.delete(conversation)
    this.#used.add(conversation)
    conversation.join()
  }

  #leaveOldest(count: number): void {
    for (const each of [...this.#used]) {
      if (this.#used.size <= count) return
      if (each !== this.#opened && !each.hasUnsent) this.leave(each)
    }
  }
}
