/** Finds the messages that others answer to, also those that are not in the timeline (yet). */
import { SvelteMap } from "svelte/reactivity"

import { ApiError, Unreachable } from "../api/http"
import type { MessageReader } from "./message-reader"
import type { Conversation } from "./conversation.svelte"
import type { Session } from "../session/session"
import type { Message } from "../api/types"

export class ReplyPreviews {
  /** What was looked up; null, when it is not for this person to see. */
  readonly #loaded = new SvelteMap<string, Message | null>()
  readonly #requested = new Set<string>()

  constructor(
    private readonly session: Session,
    private readonly reader: MessageReader,
  ) {}

  /** A message, as it is now as far as this device knows; null, when it is not to be seen; nothing, before that is known. */
  find(conversation: Conversation, messageId: string): Message | null | undefined {
    const local = conversation.timeline.messages.findLast((message) => message.message_id === messageId)
    return local ?? this.#loaded.get(messageId)
  }

  /** Look up what is not here; once. */
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

  /** A message has changed: what was looked up of it is old. */
  applyChanges(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#loaded.has(message.message_id)) this.#loaded.set(message.message_id, message)
    }
  }
}
