/** Encryption is required, but this device knows no encrypted message yet. */
const NOTHING_YET = Number.MAX_SAFE_INTEGER

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

  /** Notes that a conversation requires encryption. */
  require(conversationId: string): void {
    this.set(conversationId, NOTHING_YET)
  }

  /** Notes that all messages after `seq` are encrypted. Returns whether this device believed more plaintext before. */
  set(conversationId: string, seq: number): boolean {
    const stored = this.#read() // Another tab may have added some.
    const known = Math.min(stored[conversationId] ?? Infinity, this.#known[conversationId] ?? Infinity)
    const since = Math.min(known, seq)
    this.#known = { ...this.#known, ...stored, [conversationId]: since }
    if (since !== stored[conversationId]) this.#write()
    return since < known
  }

  /** A browser that refuses to store it remembers it until the page is closed. */
  #write(): void {
    try {
      localStorage.setItem(this.#key, JSON.stringify(this.#known))
    } catch {
      // the quota is used up
    }
  }

  #read(): Record<string, number> {
    return JSON.parse(localStorage.getItem(this.#key) ?? "{}") as Record<string, number>
  }
}

function keyOf(userId: string): string {
  return `famichat.${userId}.encrypted`
}
