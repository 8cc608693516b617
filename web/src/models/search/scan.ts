/**
 * Finds the best messages for a query. Segments are scanned one by one, so that a search can be cancelled between two.
 *
 * Messages in which a word begins as typed come first, then the newest. Japanese has no spaces: there, each place counts
 * as the beginning of a word.
 */
import type { Segment } from "./segment"
import { occursAtWordStart } from "./word-start"

export interface Hit {
  readonly conversationId: string
  readonly seq: number
  /** In seconds since 1970. */
  readonly time: number
}

/** How many times the limit is collected before the oldest hits are dropped. */
const SLACK = 4

export class Scan {
  readonly #words: readonly string[]
  #atWordStart: Hit[] = []
  #insideWord: Hit[] = []
  /** The messages that can be found, up to the place where the scan ended early. */
  count = 0

  /** @param words folded, at least one */
  constructor(
    words: readonly string[],
    private readonly limit: number,
  ) {
    // The longest word is the rarest: few lines are left to look at.
    this.#words = [...words].sort((one, other) => other.length - one.length)
  }

  /** Whether no message older than `newest` can be among the results. The count is then incomplete. */
  endsBefore(newest: number): boolean {
    const last = newestFirst(this.#atWordStart)[this.limit - 1]
    return last !== undefined && last.time >= newest
  }

  scan({ conversationId, text, starts, seqs, times }: Segment): void {
    const [first = "", ...others] = this.#words
    let line = 0
    for (let at = text.indexOf(first); at >= 0;) {
      while (line + 1 < starts.length && (starts[line + 1] ?? 0) <= at) line += 1
      const start = starts[line] ?? 0
      const end = (starts[line + 1] ?? text.length + 1) - 1
      const words = text.slice(start, end)
      if (others.every((word) => words.includes(word))) {
        const hit = { conversationId, seq: seqs[line] ?? 0, time: times[line] ?? 0 }
        const beginsWord = this.#words.every((word) => occursAtWordStart(words, word))
        ;(beginsWord ? this.#atWordStart : this.#insideWord).push(hit)
        this.count += 1
      }
      at = text.indexOf(first, end)
    }
    this.#atWordStart = this.#trimmed(this.#atWordStart)
    this.#insideWord = this.#trimmed(this.#insideWord)
  }

  /** The best hits, at most as many as the limit. */
  get hits(): readonly Hit[] {
    return [...newestFirst(this.#atWordStart), ...newestFirst(this.#insideWord)].slice(0, this.limit)
  }

  #trimmed(hits: Hit[]): Hit[] {
    return hits.length > this.limit * SLACK ? newestFirst(hits).slice(0, this.limit) : hits
  }
}

function newestFirst(hits: readonly Hit[]): Hit[] {
  return [...hits].sort((one, other) => other.time - one.time || other.seq - one.seq)
}
