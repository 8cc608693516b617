/** Opens each body and each reaction once, through the seam, and remembers what it says. */
import { open, openSign, type Opened } from "../crypto/seal"
import type { Signed } from "../models/reactions"
import type { Message } from "../api/types"

export class Reader {
  readonly #opened = new Map<string, Opened>()
  readonly #signs = new Map<string, readonly Signed[]>()

  constructor(private readonly changed: () => void) {}

  /** What a message says; nothing for the moment in which it is being opened. */
  read(message: Message): Opened | undefined {
    return this.#opened.get(version(message))
  }

  /** The signs with which people react to a message, as far as this device can read them. */
  signs(message: Message): readonly Signed[] {
    return this.#signs.get(version(message)) ?? []
  }

  async take(messages: readonly Message[]): Promise<void> {
    const unread = messages.filter((message) => !this.#opened.has(version(message)))
    if (unread.length === 0) return
    await Promise.all(unread.map((message) => this.#open(message)))
    this.changed()
  }

  async #open(message: Message): Promise<void> {
    const signs = message.reactions.map(async (each) => ({ user_id: each.user_id, sign: await openSign(each) }))
    this.#signs.set(version(message), await Promise.all(signs))
    this.#opened.set(version(message), await open(message))
  }
}

function version(message: Message): string {
  return `${message.message_id} ${message.change}`
}
