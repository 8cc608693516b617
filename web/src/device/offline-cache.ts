/** Caches the last displayed state, so that the next start shows it before the server responds. */
import type { Receipts } from "../models/messages/receipts"
import type { ConversationList } from "../models/conversation-list"
import type { SavedMarks } from "../models/messages/marks"
import { newestPart, type Timeline } from "../models/messages/timeline"
import type { ConversationSummary, Family, Member, Person } from "../api/types"
import type { LocalDatabase, CachedTimeline } from "./database"

/** Messages cached per conversation: a few screens. */
const CACHED_MESSAGES = 120
const WRITE_AFTER_MS = 400

export interface CachedContacts {
  readonly families: readonly Family[]
  readonly households: readonly (readonly [string, readonly Member[]])[]
  /** All contacts; missing in data written by an older version. */
  readonly people?: readonly Person[]
}

export interface CachedState {
  readonly conversations: ConversationList
  readonly timelines: ReadonlyMap<string, CachedTimeline>
  readonly contacts: CachedContacts | undefined
}

interface ConversationState {
  readonly conversation: ConversationSummary
  readonly timeline: Timeline
  readonly receipts: Receipts
  readonly marks: SavedMarks
}

export class OfflineCache {
  readonly #dirty = new Map<string, () => ConversationState | undefined>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly database: LocalDatabase) {}

  async load(): Promise<CachedState> {
    const nothing: CachedState = { conversations: [], timelines: new Map(), contacts: undefined }
    return await this.database.read(async (database) => {
      const [conversations, ids, timelines, contacts] = await Promise.all([
        database.getAll("conversations"),
        database.getAllKeys("timelines"),
        database.getAll("timelines"),
        database.get("facts", "around") as Promise<CachedContacts | undefined>,
      ])
      const found = timelines.map((timeline, index) => [ids[index] ?? "", timeline] as const)
      return { conversations, timelines: new Map(found), contacts: contacts }
    }, nothing)
  }

  /** Schedules a write of a changed conversation; several changes are written once. */
  schedule(conversationId: string, read: () => ConversationState | undefined): void {
    this.#dirty.set(conversationId, read)
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS)
  }

  async saveContacts(contacts: CachedContacts): Promise<void> {
    await this.database.write(["facts"], (write) => write.objectStore("facts").put(contacts, "around"), "")
  }

  /** Writes scheduled changes now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const states = [...this.#dirty].map(([id, read]) => [id, read()] as const)
    this.#dirty.clear()
    if (states.length === 0) return
    await this.database.write(
      ["conversations", "timelines"],
      async (write) => {
        const [conversations, timelines] = [write.objectStore("conversations"), write.objectStore("timelines")]
        await Promise.all(
          states.flatMap(([id, state]): Promise<unknown>[] =>
            state
              ? [conversations.put(state.conversation, id), timelines.put(cachedTimeline(state), id)]
              : [conversations.delete(id), timelines.delete(id)],
          ),
        )
      },
      undefined,
    )
  }

  /** Deletes received messages when the device is signed out. Unsent messages are kept. */
  async clear(): Promise<void> {
    clearTimeout(this.#timer)
    this.#dirty.clear()
    await this.database.write(
      ["conversations", "timelines", "facts", "turns"],
      async (write) => {
        for (const name of ["conversations", "timelines", "facts", "turns"] as const) {
          await write.objectStore(name).clear()
        }
      },
      undefined,
    )
  }
}

function cachedTimeline({ timeline, receipts, marks }: ConversationState): CachedTimeline {
  return { ...newestPart(timeline, CACHED_MESSAGES), receipts: [...receipts], marks }
}
