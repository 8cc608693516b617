/** Opens each body and each reaction once, through the seam, and remembers what it says. */
import { open, openReaction, type Opened } from "../crypto/seal"
import type { OpenedReaction } from "../models/reactions"
import type { Message } from "../api/types"

export class MessageReader {
  readonly #opened = new Map<string, Opened>()
  readonly #reactions = new Map<string, readonly OpenedReaction[]>()

  constructor(private readonly changed: () => void) {}

  /** What a message says; nothing for the moment in which it is being opened. */
  read(message: Message): Opened | undefined {
    return this.#opened.get(version(message))
  }

  /** The signs with which people react to a message, as far as this device can read them. */
  reactionsTo(message: Message): readonly OpenedReaction[] {
    return this.#reactions.get(version(message)) ?? []
  }

  async open(messages: readonly Message[]): Promise<void> {
    const unread = messages.filter((message) => !this.#opened.has(version(message)))
    if (unread.length === 0) return
    await Promise.all(unread.map((message) => this.#open(message)))
    this.changed()
  }

  async #open(message: Message): Promise<void> {
    const opened = message.reactions.map(async (each) => ({ user_id: each.user_id, emoji: await openReaction(each) }))
    this.#reactions.set(version(message), await Promise.all(opened))
    this.#opened.set(version(message), await open(message))
  }
}

function version(message: Message): string {
  return `${message.message_id} ${message.change}`
}
