/** Opens each body once, through the seam, and remembers what it says. */
import { open, type Opened } from "../crypto/seal"
import type { Message } from "./shapes"

export class Reader {
  readonly #opened = new Map<string, Opened>()

  constructor(private readonly changed: () => void) {}

  /** What a message says; nothing for the moment in which it is being opened. */
  read(message: Message): Opened | undefined {
    return this.#opened.get(version(message))
  }

  async take(messages: readonly Message[]): Promise<void> {
    const unread = messages.filter((message) => !this.#opened.has(version(message)))
    if (unread.length === 0) return
    await Promise.all(unread.map(async (message) => this.#opened.set(version(message), await open(message))))
    this.changed()
  }
}

function version(message: Message): string {
  return `${message.message_id} ${message.edited_at ?? ""} ${message.deleted_at ?? ""}`
}
