/**
 * Finds the best messages for a query. Segments are scanned one by one, so that a search can be cancelled between two.
 *
 * Messages in which a word begins as typed come first, then the newest. Japanese has no spaces: there, each place counts
 * as the beginning of a word.
 */
import type { Segment } from "./segment"
import { hasWordStarts, occursAtWordStart } from "./word-start"

export interface Hit {
  readonly conversationId: string
  readonly seq: number
  /** In seconds since 1970. */
  readonly time: number
}

export class Scan {
  readonly #first: string
  readonly #others: readonly string[]
  /** The words that should begin as typed. */
  readonly #ranked: readonly string[]
  readonly #atWordStart: BestHits
  readonly #insideWord: BestHits
  /** The messages that can be found, up to the place where the scan ended early. */
  count = 0

  /** @param words folded, at least one */
  constructor(
    words: readonly string[],
    private readonly limit: number,
  ) {
    // The longest word is the rarest: few lines are left to look at.
    const [first = "", ...others] = [...words].sort((one, other) => other.length - one.length)
    this.#first = first
    this.#others = others
    this.#ranked = words.filter(hasWordStarts)
    this.#atWordStart = new BestHits(limit)
    this.#insideWord = new BestHits(limit)
  }

  /** Whether no message older than `newest` can be among the results. The count is then incomplete. */
  endsBefore(newest: number): boolean {
    return this.#atWordStart.cutoff >= newest
  }

  scan({ conversationId, text, starts, seqs, times }: Segment): void {
    let line = 0
    for (let at = text.indexOf(this.#first); at >= 0;) {
      while (line + 1 < starts.length && (starts[line + 1] ?? 0) <= at) line += 1
      const start = starts[line] ?? 0
      const end = (starts[line + 1] ?? text.length + 1) - 1
      if (this.#matches(text, start, end)) {
        const begins = this.#ranked.every((word) => occursAtWordStart(text, word, start, end))
        const found = begins ? this.#atWordStart : this.#insideWord
        found.add(conversationId, seqs[line] ?? 0, times[line] ?? 0)
        this.count += 1
      }
      at = text.indexOf(this.#first, end)
    }
    this.#atWordStart.trim()
    this.#insideWord.trim()
  }

  /** The best hits, at most as many as the limit. */
  get hits(): readonly Hit[] {
    return [...this.#atWordStart.newestFirst, ...this.#insideWord.newestFirst].slice(0, this.limit)
  }

  #matches(text: string, start: number, end: number): boolean {
    if (this.#others.length === 0) return true
    const line = text.slice(start, end)
    return this.#others.every((word) => line.includes(word))
  }
}

/** The newest hits, somewhat more than the limit. */
class BestHits {
  #hits: Hit[] = []
  /** The time of the last hit within the limit, once there are so many: older ones are not needed. */
  cutoff = -1

  constructor(private readonly limit: number) {}

  add(conversationId: string, seq: number, time: number): void {
    if (time > this.cutoff) this.#hits.push({ conversationId, seq, time })
  }

  trim(): void {
    if (this.#hits.length < this.limit) return
    this.#hits = this.newestFirst.slice(0, this.limit)
    this.cutoff = this.#hits.at(-1)?.time ?? -1
  }

  get newestFirst(): Hit[] {
    return [...this.#hits].sort((one, other) => other.time - one.time || other.seq - one.seq)
  }
}
