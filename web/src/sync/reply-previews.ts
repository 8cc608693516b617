/** Finds the messages that others answer to, also those that are not in the timeline (yet). */
import { ApiError, Unreachable } from "../api/http"
import type { Reader } from "./message-reader"
import type { Room } from "./conversation"
import type { Session } from "../session/session"
import type { Message } from "../api/types"

export class Quotes {
  /** What was looked up; null, when it is not for this person to see. */
  readonly #found = new Map<string, Message | null>()
  readonly #asked = new Set<string>()

  constructor(
    private readonly session: Session,
    private readonly reader: Reader,
    private readonly changed: () => void,
  ) {}

  /** A message, as it is now as far as this device knows; null, when it is not to be seen; nothing, before that is known. */
  find(room: Room, messageId: string): Message | null | undefined {
    const here = room.timeline.messages.findLast((message) => message.message_id === messageId)
    return here ?? this.#found.get(messageId)
  }

  /** Look up what is not here; once. */
  async lookUp(room: Room, messageId: string): Promise<void> {
    if (this.find(room, messageId) !== undefined || this.#asked.has(messageId)) return
    this.#asked.add(messageId)
    try {
      const message = await this.session.ask<Message>("GET", `/conversations/${room.id}/messages/${messageId}`)
      this.#found.set(messageId, message)
      await this.reader.take([message])
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_found") this.#found.set(messageId, null)
      else if (error instanceof ApiError || error instanceof Unreachable) this.#asked.delete(messageId)
      else throw error
    }
    this.changed()
  }

  /** A message has changed: what was looked up of it is old. */
  amend(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.#found.has(message.message_id)) this.#found.set(message.message_id, message)
    }
  }
}
