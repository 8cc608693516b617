/** Finds the messages that replies refer to, including those that are not in the timeline. */
import { SvelteMap } from "svelte/reactivity"

import { ApiError, Unreachable } from "../api/http"
import { messageAt } from "../models/messages/timeline"
import type { MessageReader } from "./message-reader"
import type { Conversation } from "./conversation.svelte"
import type { Session } from "../session/session"
import type { Message } from "../api/types"

export class ReplyPreviews {
  /** Messages fetched by id; null if the user may not see them. */
  readonly #loaded = new SvelteMap<string, Message | null>()
  /** The `seq` of quoted messages, which never changes: every quote looks for its message at every change. */
  readonly #places = new Map<string, number>()
  readonly #requested = new Set<string>()

  constructor(
    private readonly session: Session,
    private readonly reader: MessageReader,
  ) {}

  /** Returns a message in its latest known state; null if the user may not see it; undefined until that is known. */
  find(conversation: Conversation, messageId: string): Message | null | undefined {
    const { timeline } = conversation
    const known = messageAt(timeline, this.#places.get(messageId) ?? 0)
    if (known?.message_id === messageId) return known
    const loaded = this.#loaded.get(messageId)
    if (loaded !== undefined) return loaded
    const found = timeline.messages.findLast((message) => message.message_id === messageId)
    if (found) this.#places.set(messageId, found.seq)
    return found
  }

  /** Fetches a missing message once. */
  async load(conversation: Conversation, messageId: string): Promise<void> {
    if (this.find(conversation, messageId) !== undefined || this.#requested.has(messageId)) return
    this.#requested.add(messageId)
    try {
      const message = await this.session.request<Message>(
        "GET",
        `/conversations/${conversation.id}/messages/${messageId}`,
      )
      this.#loaded.set(messageId, message)
      await this.reader.open([message])
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_found") this.#loaded.set(messageId, null)
      else if (error instanceof ApiError || error instanceof Unreachable) this.#requested.delete(messageId)
      else throw error
    }
  }

  /** Drops the fetched copy of a changed message. */
  applyChanges(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#loaded.has(message.message_id)) this.#loaded.set(message.message_id, message)
    }
  }
}
