/**
 * What the search worker does: it writes texts in the order of the requests, and scans them.
 *
 * The segments stay in memory between searches until they are released.
 */
import type { FillProgress, HistoryHead } from "../models/search/fill-progress"
import { excerpt, type ExcerptPart } from "../models/search/excerpt"
import { queryWords } from "../models/search/fold"
import { withRecent } from "../models/search/recent"
import { Scan } from "../models/search/scan"
import type { Segment } from "../models/search/segment"
import type { TextEntry } from "../models/search/text-entry"
import { SearchStore, type Written } from "./search-store"

export interface FoundMessage extends Pick<TextEntry, "conversationId" | "seq" | "userId" | "sentAt"> {
  readonly excerpt: readonly ExcerptPart[]
}

export interface SearchResults {
  /** The best first; within one conversation, the newest. */
  readonly messages: readonly FoundMessage[]
  /** Whether more messages than the limit were found. */
  readonly more: boolean
  /** How many messages cannot be searched, because this device cannot decrypt them. */
  readonly locked: number
}

export interface SearchQuery {
  readonly text: string
  /** Searches only this conversation. */
  readonly conversationId: string | undefined
  readonly limit: number
}

/** The requests of a page, with their results. */
export interface SearchOperations {
  put(entries: readonly TextEntry[]): Promise<readonly FillProgress[]>
  putPage(entries: readonly TextEntry[], reached: FillProgress): Promise<readonly FillProgress[]>
  begin(heads: readonly HistoryHead[]): Promise<readonly FillProgress[]>
  remove(conversationId: string): Promise<void>
  retain(conversationIds: readonly string[]): Promise<void>
  /** Reads the segments into memory, so that the first search does not wait for them. */
  load(): Promise<void>
  /** Returns undefined if the search was cancelled, or replaced by a newer one of the same conversations. */
  search(query: SearchQuery): Promise<SearchResults | undefined>
  cancel(): Promise<void>
  /** Returns the latest queries that led to a message. */
  recent(): Promise<readonly string[]>
  /** Adds a query to the recent ones, and returns these. */
  remember(query: string): Promise<readonly string[]>
  forgetRecent(): Promise<void>
  /** Frees the memory that searches use. */
  release(): Promise<void>
}

/** A scan lets other requests in after this time. */
const SLICE_MS = 8

export class SearchService implements SearchOperations {
  readonly #store: SearchStore
  /** The segments in memory, by conversation and first `seq`; undefined while they are released. */
  #segments: Promise<Map<string, Segment>> | undefined
  #writing: Promise<unknown> = Promise.resolve()
  /** The latest search of each conversation, and of all. */
  readonly #latest = new Map<string | undefined, SearchQuery>()

  constructor(
    userId: string,
    /** Lets the worker receive requests. */
    private readonly pause = () => new Promise<void>((resume) => setTimeout(resume)),
  ) {
    this.#store = new SearchStore(userId)
  }

  async put(entries: readonly TextEntry[]): Promise<readonly FillProgress[]> {
    return await this.#write(() => this.#store.put(entries))
  }

  async putPage(entries: readonly TextEntry[], reached: FillProgress): Promise<readonly FillProgress[]> {
    return await this.#write(() => this.#store.putPage(entries, reached))
  }

  async begin(heads: readonly HistoryHead[]): Promise<readonly FillProgress[]> {
    return await this.#inOrder(() => this.#store.begin(heads))
  }

  async remove(conversationId: string): Promise<void> {
    await this.#inOrder(() => this.#store.remove(conversationId))
    await this.#forget((id) => id === conversationId)
  }

  async retain(conversationIds: readonly string[]): Promise<void> {
    await this.#inOrder(() => this.#store.retain(conversationIds))
    await this.#forget((id) => !conversationIds.includes(id))
  }

  async load(): Promise<void> {
    await this.#loaded()
  }

  async search(query: SearchQuery): Promise<SearchResults | undefined> {
    const { text, conversationId, limit } = query
    this.#latest.set(conversationId, query)
    const replaced = () => this.#latest.get(conversationId) !== query
    const words = queryWords(text)
    if (words.length === 0) return { messages: [], more: false, locked: 0 }
    const segments = [...(await this.#loaded()).values()]
      .filter((each) => conversationId === undefined || each.conversationId === conversationId)
      .sort((one, other) => other.newest - one.newest)
    const scan = new Scan(words, limit)
    let sliceEnd = performance.now() + SLICE_MS
    let endedEarly = false
    for (const segment of segments) {
      if (performance.now() > sliceEnd) {
        await this.pause()
        sliceEnd = performance.now() + SLICE_MS
      }
      if (replaced()) return undefined
      endedEarly = scan.endsBefore(segment.newest)
      if (endedEarly) break
      scan.scan(segment)
    }
    const entries = await this.#store.entries(scan.hits)
    if (replaced()) return undefined
    return {
      messages: entries.flatMap((entry) => found(entry, words) ?? []),
      more: endedEarly || scan.count > limit,
      locked: segments.reduce((sum, { locked }) => sum + locked.length, 0),
    }
  }

  async cancel(): Promise<void> {
    this.#latest.clear()
  }

  async recent(): Promise<readonly string[]> {
    return await this.#store.recent()
  }

  async remember(query: string): Promise<readonly string[]> {
    return await this.#inOrder(async () => {
      const recent = withRecent(await this.#store.recent(), query)
      await this.#store.setRecent(recent)
      return recent
    })
  }

  async forgetRecent(): Promise<void> {
    await this.#inOrder(() => this.#store.setRecent([]))
  }

  async release(): Promise<void> {
    this.#segments = undefined
  }

  #loaded(): Promise<Map<string, Segment>> {
    this.#segments ??= this.#inOrder(() => this.#store.segments()).then(
      (segments) => new Map(segments.map((segment) => [keyOf(segment), segment])),
    )
    return this.#segments
  }

  async #forget(isRemoved: (conversationId: string) => boolean): Promise<void> {
    const loaded = await this.#segments
    for (const [key, { conversationId }] of loaded ?? []) if (isRemoved(conversationId)) loaded?.delete(key)
  }

  async #write(work: () => Promise<Written>): Promise<readonly FillProgress[]> {
    const { segments, progress } = await this.#inOrder(work)
    const loaded = await this.#segments
    if (loaded) for (const segment of segments) loaded.set(keyOf(segment), segment)
    return progress
  }

  /** Runs after all earlier operations, so that a text that was removed is not stored by an earlier request. */
  async #inOrder<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#writing.then(work)
    this.#writing = result.catch(() => undefined)
    return await result
  }
}

function keyOf({ conversationId, number }: Segment): string {
  return `${conversationId} ${number}`
}

function found({ text, ...place }: TextEntry, words: readonly string[]): FoundMessage | undefined {
  if (!text) return undefined // Another tab has deleted it since the segments were loaded.
  const { conversationId, seq, userId, sentAt } = place
  return { conversationId, seq, userId, sentAt, excerpt: excerpt(text, words) }
}
