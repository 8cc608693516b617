/**
 * Unread counts from the server. The server counts a message before this device acknowledges it as read, so a count of
 * the conversation that the user is reading waits: otherwise, a badge would flash for each message.
 */

/** Longer than an acknowledgement takes, and short enough for a reader who looks away. */
const READING_MS = 1_000

export class UnreadCounts {
  readonly #waiting = new Map<string, ReturnType<typeof setTimeout>>()

  constructor(
    private readonly isBeingRead: (conversationId: string) => boolean,
    private readonly apply: (conversationId: string, unread: number) => void,
  ) {}

  receive(conversationId: string, unread: number): void {
    clearTimeout(this.#waiting.get(conversationId))
    this.#waiting.delete(conversationId)
    if (unread === 0 || !this.isBeingRead(conversationId)) return this.apply(conversationId, unread)
    const later = () => {
      this.#waiting.delete(conversationId)
      this.apply(conversationId, unread)
    }
    this.#waiting.set(conversationId, setTimeout(later, READING_MS))
  }

  stop(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer)
    this.#waiting.clear()
  }
}
