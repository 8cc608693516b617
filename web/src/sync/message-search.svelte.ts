/** Searches all messages of the user on this device, and keeps their texts current. Loaded after the first screen. */
import type { ChangePage, Message, MessagePage } from "../api/types"
import { SearchClient } from "../device/search-client"
import type { SearchQuery, SearchResults } from "../device/search-service"
import type { ConversationList } from "../models/conversation-list"
import { headOf } from "../models/search/fill-progress"
import { textEntry, type TextEntry } from "../models/search/text-entry"
import type { Session } from "../session/session"
import { FillConditions } from "./fill-conditions"
import { HistoryFill } from "./history-fill"
import type { MessageReader } from "./message-reader"

/** A page of the history is taken over in parts, between which the browser can draw. */
const PART = 25
/** The memory of a search is freed this long after the user left it. */
const RELEASE_MS = 60_000

export interface SearchContext {
  readonly session: Session
  readonly reader: MessageReader
  conversations(): ConversationList
  /** Whether the user is in this conversation. */
  includes(id: string): boolean
  connected(): boolean
  /** Whether the user has deleted a message for themselves. */
  isHidden(conversationId: string, seq: number): boolean
  /** Asks the server where the conversations stand. */
  refresh(): void
}

export class MessageSearch {
  /** Everything that was sent since then can be found (RFC 3339); undefined if nothing is missing. */
  reachedAt = $state<string>()
  /** The conversations whose older messages are missing. */
  incomplete = $state.raw<ReadonlySet<string>>(new Set())
  /** Whether filling waits for a network that is not metered, or for energy. */
  paused = $state(false)
  /** The latest queries that led to a message. */
  recent = $state.raw<readonly string[]>([])
  /** Increases when texts were added, changed or removed: results may be outdated. */
  version = $state(0)
  readonly #client: SearchClient
  readonly #fill: HistoryFill
  readonly #conditions = new FillConditions(() => this.#fill.wake())
  #pending: TextEntry[] = []
  /** The user asked to fill although the device saves data or energy. */
  #forced = false
  #releaseTimer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly context: SearchContext) {
    this.#client = new SearchClient(context.session.user.id)
    const path = (id: string) => `/conversations/${id}`
    const { session } = context
    this.#fill = new HistoryFill({
      heads: () => context.conversations().map(headOf),
      fetchMessages: (id, query) => session.request<MessagePage>("GET", `${path(id)}/messages?${query}`),
      fetchChanges: (id, query) => session.request<ChangePage>("GET", `${path(id)}/changes?${query}`),
      read: (messages) => this.#read(messages),
      allowed: () => this.#client.working && !document.hidden && context.connected() && !this.#waits,
      idle: () => this.#conditions.idle(),
      begin: (heads) => this.#client.run("begin", heads),
      putPage: (entries, reached) => this.#client.run("putPage", entries, reached),
      changed: () => this.#noteProgress(),
    })
    context.reader.listen((message, opened) => this.#add(textEntry(message, opened)))
    void this.#fill.run()
  }

  /** The list of conversations is complete: texts of others are deleted. */
  listed(): void {
    const ids = this.context.conversations().map(({ id }) => id)
    void this.#client.run("retain", ids)
    this.#fill.wake()
  }

  /** Searches; undefined if a newer search replaced this one. */
  async find(query: SearchQuery): Promise<SearchResults | undefined> {
    const results = await this.#client.run("search", query)
    const shown = results?.messages.filter(({ conversationId, seq }) => !this.context.isHidden(conversationId, seq))
    return results && shown && { ...results, messages: shown }
  }

  cancel(): void {
    void this.#client.run("cancel")
  }

  /** The user opened a search. The texts stay in memory until `leave`. */
  enter(): void {
    clearTimeout(this.#releaseTimer)
    this.context.refresh()
    void this.#client.run("load")
    void this.#client.run("recent").then((recent = []) => (this.recent = recent))
  }

  /** The user opened a message that this query found. */
  remember(query: string): void {
    void this.#client.run("remember", query).then((recent = []) => (this.recent = recent))
  }

  forgetRecent(): void {
    this.recent = []
    void this.#client.run("forgetRecent")
  }

  leave(): void {
    this.cancel()
    this.#releaseTimer = setTimeout(() => void this.#client.run("release"), RELEASE_MS)
  }

  /** Continues to fill although the device saves data or energy. */
  fillNow(): void {
    this.#forced = true
    this.paused = false
    this.#fill.wake()
  }

  /** Deletes the texts of a conversation that the user is no longer in. */
  async remove(conversationId: string): Promise<void> {
    this.#pending = this.#pending.filter((entry) => entry.conversationId !== conversationId)
    this.#fill.forget(conversationId)
    await this.#client.run("remove", conversationId)
    this.version += 1
  }

  /** Ends the worker. Nothing is written after this. */
  close(): void {
    clearTimeout(this.#releaseTimer)
    this.#conditions.close()
    this.context.reader.listen(() => undefined)
    this.#client.close()
    this.#fill.stop()
  }

  get #waits(): boolean {
    return this.#conditions.saving && !this.#forced
  }

  /** Stores messages that were opened together in one step. */
  #add(entry: TextEntry): void {
    if (this.#pending.push(entry) === 1) queueMicrotask(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    const entries = this.#pending.filter(({ conversationId }) => this.context.includes(conversationId))
    this.#pending = []
    if (entries.length === 0) return
    const progress = await this.#client.run("put", entries)
    if (progress) this.#fill.stored(entries, progress)
    this.version += 1
  }

  async #read(messages: readonly Message[]): Promise<readonly TextEntry[]> {
    const entries: TextEntry[] = []
    for (let start = 0; start < messages.length; start += PART) {
      if (start > 0) await new Promise((resume) => setTimeout(resume))
      const part = messages.slice(start, start + PART)
      const opened = await this.context.reader.readOnce(part)
      entries.push(...part.flatMap((message, index) => (opened[index] ? textEntry(message, opened[index]) : [])))
    }
    return entries
  }

  #noteProgress(): void {
    const { reachedAt } = this.#fill
    if (reachedAt !== this.reachedAt) this.version += 1
    this.reachedAt = reachedAt
    this.incomplete = this.#fill.incomplete
    this.paused = this.incomplete.size > 0 && this.#waits
  }
}
