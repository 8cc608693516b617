/** Searches all messages of the user on this device, and keeps their texts current. Loaded after the first screen. */
import type { ChangePage, Message, MessagePage } from "../api/types"
import { SearchClient } from "../device/search-client"
import type { SearchQuery, SearchResults } from "../device/search-service"
import type { ConversationList } from "../models/conversation-list"
import { headOf } from "../models/search/fill-progress"
import { textEntry, type TextEntry } from "../models/search/text-entry"
import type { Session } from "../session/session"
import { HistoryFill } from "./history-fill"
import type { MessageReader } from "./message-reader"

/** Between two requests of the history. */
const PAUSE_MS = 200
const IDLE_TIMEOUT_MS = 2_000
/** The memory of a search is freed this long after the user left it. */
const RELEASE_MS = 60_000

export interface SearchContext {
  readonly session: Session
  readonly reader: MessageReader
  conversations(): ConversationList
  connected(): boolean
  /** Asks the server where the conversations stand. */
  refresh(): void
}

/** What the client says about a network, where the browser tells. */
interface NetworkInformation extends EventTarget {
  readonly saveData?: boolean
  readonly type?: string
}

export class MessageSearch {
  /** Everything that was sent since then can be found (RFC 3339); undefined if nothing is missing. */
  reachedAt = $state<string>()
  /** The conversations whose older messages are missing. */
  incomplete = $state.raw<ReadonlySet<string>>(new Set())
  /** Whether filling waits for a network that is not metered. */
  paused = $state(false)
  /** The latest queries that led to a message. */
  recent = $state.raw<readonly string[]>([])
  /** Increases when texts were added, changed or removed: results may be outdated. */
  version = $state(0)
  readonly #client: SearchClient
  readonly #fill: HistoryFill
  #pending: TextEntry[] = []
  /** The user asked to fill on a metered network. */
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
      allowed: () => this.#client.working && !document.hidden && context.connected() && !this.#waitsForNetwork,
      idle,
      begin: (heads) => this.#client.run("begin", heads),
      putPage: (entries, reached) => this.#client.run("putPage", entries, reached),
      changed: () => this.#noteProgress(),
    })
    context.reader.listen((message, opened) => this.#add(textEntry(message, opened)))
    document.addEventListener("visibilitychange", this.#wake)
    network()?.addEventListener("change", this.#wake)
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
    return await this.#client.run("search", query)
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

  /** Continues to fill on a metered network. */
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
    document.removeEventListener("visibilitychange", this.#wake)
    network()?.removeEventListener("change", this.#wake)
    this.context.reader.listen(() => undefined)
    this.#client.close()
    this.#fill.stop()
  }

  readonly #wake = () => this.#fill.wake()

  get #waitsForNetwork(): boolean {
    return isMetered() && !this.#forced
  }

  /** Stores messages that were opened together in one step. */
  #add(entry: TextEntry): void {
    if (this.#pending.push(entry) === 1) queueMicrotask(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    const members = new Set(this.context.conversations().map(({ id }) => id))
    const entries = this.#pending.filter(({ conversationId }) => members.has(conversationId))
    this.#pending = []
    if (entries.length === 0) return
    this.#fill.note((await this.#client.run("put", entries)) ?? [])
    this.version += 1
    this.#fill.wake()
  }

  async #read(messages: readonly Message[]): Promise<readonly TextEntry[]> {
    const opened = await this.context.reader.readOnce(messages)
    return messages.flatMap((message, index) => {
      const content = opened[index]
      return content ? textEntry(message, content) : []
    })
  }

  #noteProgress(): void {
    const { reachedAt } = this.#fill
    if (reachedAt !== this.reachedAt) this.version += 1
    this.reachedAt = reachedAt
    this.incomplete = this.#fill.incomplete
    this.paused = this.incomplete.size > 0 && this.#waitsForNetwork
  }
}

function network(): NetworkInformation | undefined {
  return (navigator as { connection?: NetworkInformation }).connection
}

function isMetered(): boolean {
  const { saveData = false, type } = network() ?? {}
  return saveData || type === "cellular"
}

async function idle(): Promise<void> {
  await new Promise((resume) => setTimeout(resume, PAUSE_MS))
  // Missing in Safari.
  const { requestIdleCallback: whenIdle } = globalThis as {
    requestIdleCallback?: (callback: () => void, options: { timeout: number }) => void
  }
  if (whenIdle) await new Promise<void>((resume) => whenIdle(resume, { timeout: IDLE_TIMEOUT_MS }))
}
