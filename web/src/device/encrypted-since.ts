/**
 * Remembers which conversations are encrypted, and from which `seq` on. It never forgets, also after a sign-out: a server
 * that claims that such a conversation is not encrypted is not believed.
 */
export class EncryptedSince {
  /** Forgets everything, because the account is deleted. */
  static delete(userId: string): void {
    localStorage.removeItem(keyOf(userId))
  }

  readonly #key: string
  #known: Readonly<Record<string, number>>

  constructor(userId: string) {
    this.#key = keyOf(userId)
    this.#known = this.#read()
  }

  /** The `seq` after which all messages are encrypted; undefined if the conversation is not known to be encrypted. */
  of(conversationId: string): number | undefined {
    return this.#known[conversationId]
  }

  set(conversationId: string, seq: number): void {
    this.#known = this.#read() // Another tab may have added some.
    const since = Math.min(this.#known[conversationId] ?? seq, seq)
    if (since === this.#known[conversationId]) return
    this.#known = { ...this.#known, [conversationId]: since }
    localStorage.setItem(this.#key, JSON.stringify(this.#known))
  }

  #read(): Record<string, number> {
    return JSON.parse(localStorage.getItem(this.#key) ?? "{}") as Record<string, number>
  }
}

function keyOf(userId: string): string {
  return `famichat.${userId}.encrypted`
}
