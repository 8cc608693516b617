/**
 * Fetches the history that the search does not contain yet, page by page, the newest messages of all conversations first.
 *
 * How far it came is stored with the texts, so that it continues after a restart. One request runs at a time, and before
 * each the page is idle.
 */
import { ApiError, Unreachable } from "../api/http"
import type { ChangePage, Message, MessagePage } from "../api/types"
import type { FillProgress, HistoryHead } from "../models/search/fill-progress"
import type { TextEntry } from "../models/search/text-entry"

const PAGE = 200
const RETRY_MS = 30_000
/** Without a call of `wake`, it checks this often whether there is something to do. */
const RECHECK_MS = 60_000

export interface HistorySource {
  /** Where the conversations stand on the server, as far as this device knows. */
  heads(): readonly HistoryHead[]
  /**
   * Requests a page of messages, or of changes, with this query.
   *
   * @throws {ApiError} the server returned an error
   * @throws {Unreachable} no response
   */
  fetchMessages(conversationId: string, query: string): Promise<MessagePage>
  fetchChanges(conversationId: string, query: string): Promise<ChangePage>
  /** Decrypts messages. */
  read(messages: readonly Message[]): Promise<readonly TextEntry[]>
  /** Whether it may use the network now. */
  allowed(): boolean
  /** Resolves when the page has time. */
  idle(): Promise<void>
  /** The store of the search; both return undefined once it cannot be used. */
  begin(heads: readonly HistoryHead[]): Promise<readonly FillProgress[] | undefined>
  putPage(entries: readonly TextEntry[], reached: FillProgress): Promise<readonly FillProgress[] | undefined>
  /** Called before each step. */
  changed(): void
}

interface Task {
  readonly conversationId: string
  readonly run: () => Promise<void>
}

export class HistoryFill {
  readonly #progress = new Map<string, FillProgress>()
  /** Conversations that the server says the user is not in; the client will learn that soon. */
  #missing: ReadonlySet<string> = new Set()
  #stopped = false
  #woken = false
  #endSleep: (() => void) | undefined

  constructor(private readonly source: HistorySource) {}

  /** Fills until `stop`. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false
      const begun = await this.#beginAll(this.#presentHeads())
      this.source.changed()
      if (begun && this.#nextTask()) await this.#step()
      else if (!this.#woken) await this.#sleep(RECHECK_MS)
    }
  }

  stop(): void {
    this.#stopped = true
    this.wake()
  }

  /** Something changed: the network, the conversations, or whether filling is allowed. */
  wake(): void {
    this.#woken = true
    this.#endSleep?.()
  }

  /**
   * Live messages were stored. Most follow the stored range without a gap, and leave nothing to do.
   *
   * @param progress the ranges, which the messages have extended
   */
  stored(entries: readonly TextEntry[], progress: readonly FillProgress[]): void {
    this.#note(progress)
    if (entries.some((entry) => this.#isBehind(entry))) this.wake()
  }

  forget(conversationId: string): void {
    this.#progress.delete(conversationId)
  }

  /** The conversations whose older messages are missing. */
  get incomplete(): ReadonlySet<string> {
    return new Set(this.#incomplete().map(({ conversationId }) => conversationId))
  }

  /** Everything that was sent since then is there (RFC 3339); undefined if nothing is missing. */
  get reachedAt(): string | undefined {
    return latest(this.#incomplete())?.reachedAt
  }

  #note(progress: readonly FillProgress[]): void {
    for (const each of progress) this.#progress.set(each.conversationId, each)
  }

  /** Whether something before this message, or before this version of it, is missing. */
  #isBehind({ conversationId, seq, change }: TextEntry): boolean {
    const progress = this.#progress.get(conversationId)
    return progress === undefined || seq > progress.last || change > progress.changes
  }

  #presentHeads(): readonly HistoryHead[] {
    const all = this.source.heads()
    this.#missing = new Set(all.map(({ conversationId }) => conversationId).filter((id) => this.#missing.has(id)))
    return all.filter(({ conversationId }) => !this.#missing.has(conversationId))
  }

  async #step(): Promise<void> {
    await this.source.idle()
    const task = this.#stopped ? undefined : this.#nextTask() // Much can have changed.
    if (task) await this.#attempt(task)
  }

  async #attempt({ conversationId, run }: Task): Promise<void> {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
      if (error instanceof ApiError && error.code === "not_found") this.#skip(conversationId)
      else await this.#sleep(RETRY_MS)
    }
  }

  #skip(conversationId: string): void {
    this.#missing = new Set([...this.#missing, conversationId])
    this.forget(conversationId)
  }

  async #beginAll(heads: readonly HistoryHead[]): Promise<boolean> {
    const begun = heads.filter((head) => this.#progress.get(head.conversationId)?.epoch !== head.epoch)
    if (begun.length === 0) return true
    const progress = await this.source.begin(begun)
    this.#note(progress ?? [])
    return progress !== undefined
  }

  /** Changes and new messages come before older messages, so that results are current. */
  #nextTask(): Task | undefined {
    if (!this.source.allowed()) return undefined
    for (const head of this.#presentHeads()) {
      const { conversationId } = head
      const progress = this.#progress.get(conversationId)
      if (!progress) continue
      if (head.lastChange > progress.changes) return { conversationId, run: () => this.#fetchChanges(head, progress) }
      if (head.lastSeq > progress.last) return { conversationId, run: () => this.#fetchNewer(head, progress) }
    }
    const next = latest(this.#incomplete())
    return next && { conversationId: next.conversationId, run: () => this.#fetchOlder(next) }
  }

  async #fetchChanges(head: HistoryHead, progress: FillProgress): Promise<void> {
    const query = `after_change=${progress.changes}&limit=${PAGE}`
    const { changes, has_more, last_change } = await this.source.fetchChanges(head.conversationId, query)
    const reached = has_more ? changes.at(-1)?.change : undefined
    await this.#put(changes, { ...progress, changes: reached ?? Math.max(last_change, head.lastChange) })
  }

  async #fetchNewer(head: HistoryHead, progress: FillProgress): Promise<void> {
    const query = `after_seq=${progress.last}&limit=${PAGE}`
    const { messages, has_more } = await this.source.fetchMessages(head.conversationId, query)
    const reached = messages.at(-1)?.seq ?? head.lastSeq
    await this.#put(messages, { ...progress, last: has_more ? reached : Math.max(reached, head.lastSeq) })
  }

  async #fetchOlder(progress: FillProgress): Promise<void> {
    const query = `before_seq=${progress.before + 1}&limit=${PAGE}`
    const { messages, has_more } = await this.source.fetchMessages(progress.conversationId, query)
    const [first] = messages
    const { seq, inserted_at } = first ?? { seq: progress.before + 1, inserted_at: progress.reachedAt }
    const complete = first === undefined || seq === 1 || !has_more
    await this.#put(messages, { ...progress, before: seq - 1, complete, reachedAt: inserted_at })
  }

  async #put(messages: readonly Message[], reached: FillProgress): Promise<void> {
    const stored = await this.source.putPage(await this.source.read(messages), reached)
    // Nothing is stored if the conversation was removed meanwhile, or by another tab: begin again.
    if (stored?.length === 0) this.forget(reached.conversationId)
    this.#note(stored ?? [])
    if (stored === undefined) this.stop()
  }

  #incomplete(): FillProgress[] {
    return [...this.#progress.values()].filter(({ complete }) => !complete)
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#stopped) return
    await new Promise<void>((wake) => {
      const timer = setTimeout(wake, ms)
      this.#endSleep = () => {
        clearTimeout(timer)
        wake()
      }
    })
    this.#endSleep = undefined
  }
}

function latest(all: readonly FillProgress[]): FillProgress | undefined {
  return all.reduce<FillProgress | undefined>(
    (found, each) => (found === undefined || each.reachedAt > found.reachedAt ? each : found),
    undefined,
  )
}
