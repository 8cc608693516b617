/** What was seen here last time: shown at once at the next start, before the server has said anything. */
import type { Receipts } from "../models/receipts"
import type { Shelf } from "../models/conversation-list"
import { tail, type Timeline } from "../models/timeline"
import type { Conversation, Family, Member, Person } from "../api/types"
import type { Kept, KeptTimeline } from "./database"

/** As many messages of each conversation are kept: some screens full. */
const KEPT_MESSAGES = 120
const WRITE_AFTER_MS = 400

export interface Around {
  readonly families: readonly Family[]
  readonly households: readonly (readonly [string, readonly Member[]])[]
  /** Everybody around; what an older version kept does not say. */
  readonly people?: readonly Person[]
}

export interface Recalled {
  readonly conversations: Shelf
  readonly timelines: ReadonlyMap<string, KeptTimeline>
  readonly around: Around | undefined
}

interface Known {
  readonly conversation: Conversation
  readonly timeline: Timeline
  readonly receipts: Receipts
}

export class Recall {
  readonly #dirty = new Map<string, () => Known | undefined>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly kept: Kept) {}

  async load(): Promise<Recalled> {
    const nothing: Recalled = { conversations: [], timelines: new Map(), around: undefined }
    return await this.kept.read(async (database) => {
      const [conversations, ids, timelines, around] = await Promise.all([
        database.getAll("conversations"),
        database.getAllKeys("timelines"),
        database.getAll("timelines"),
        database.get("facts", "around") as Promise<Around | undefined>,
      ])
      const found = timelines.map((timeline, index) => [ids[index] ?? "", timeline] as const)
      return { conversations, timelines: new Map(found), around }
    }, nothing)
  }

  /** Something changed in a conversation: write down, a moment later and once for many changes, what `look` sees. */
  note(conversationId: string, look: () => Known | undefined): void {
    this.#dirty.set(conversationId, look)
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_AFTER_MS)
  }

  async noteAround(around: Around): Promise<void> {
    await this.kept.change(["facts"], (change) => change.objectStore("facts").put(around, "around"), "")
  }

  /** Write it down now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const known = [...this.#dirty].map(([id, look]) => [id, look()] as const)
    this.#dirty.clear()
    if (known.length === 0) return
    await this.kept.change(
      ["conversations", "timelines"],
      async (change) => {
        const [conversations, timelines] = [change.objectStore("conversations"), change.objectStore("timelines")]
        await Promise.all(
          known.flatMap(([id, what]): Promise<unknown>[] =>
            what
              ? [conversations.put(what.conversation, id), timelines.put(kept(what), id)]
              : [conversations.delete(id), timelines.delete(id)],
          ),
        )
      },
      undefined,
    )
  }

  /** Forget what others wrote: this device is signed out. What its person wrote and did not send stays. */
  async clear(): Promise<void> {
    clearTimeout(this.#timer)
    this.#dirty.clear()
    await this.kept.change(
      ["conversations", "timelines", "facts", "turns"],
      async (change) => {
        for (const name of ["conversations", "timelines", "facts", "turns"] as const) {
          await change.objectStore(name).clear()
        }
      },
      undefined,
    )
  }
}

function kept({ timeline, receipts }: Known): KeptTimeline {
  return { ...tail(timeline, KEPT_MESSAGES), receipts: [...receipts] }
}
