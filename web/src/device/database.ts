/**
 * The local database of one account (IndexedDB), shared by all tabs.
 *
 * Some browsers refuse storage (private windows, full disks). Then everything continues in memory and `durable` is
 * false, so that the page can tell the user.
 */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, type StoreNames } from "idb"

import type { PendingAttachment } from "../models/messages/attachments"
import type { OutgoingMessage } from "../models/messages/outbox"
import type { ReceiptPosition } from "../models/messages/receipts"
import type { ConversationSummary, Message } from "../api/types"
import type { SavedMarks } from "../models/messages/marks"

/** The most recent part of a timeline, as last displayed. */
export interface CachedTimeline {
  readonly epoch: string
  readonly messages: readonly Message[]
  readonly before: number
  readonly last: number
  /** Last change applied; missing in data written by an older version. */
  readonly changes?: number
  readonly receipts: readonly (readonly [string, ReceiptPosition])[]
  /** Missing in data written by an older version. */
  readonly marks?: SavedMarks
}

/** Unsent text of a conversation. The name is stored in case the conversation disappears. */
export interface Draft {
  readonly text: string
  readonly name: string
  /** Photos, files and voice notes attached to it. */
  readonly enclosures?: readonly PendingAttachment[]
}

export interface Stores extends DBSchema {
  /** In the order of writing. */
  outbox: { key: number; value: OutgoingMessage; indexes: { client_id: string } }
  /** Which tab may send in a conversation, and until when. */
  turns: { key: string; value: { readonly tab: string; readonly until: number } }
  unsent: { key: string; value: Draft }
  conversations: { key: string; value: ConversationSummary }
  timelines: { key: string; value: CachedTimeline }
  /** Single values, such as names of people and families. */
  facts: { key: string; value: unknown }
}

export type StoreName = StoreNames<Stores>
export type WriteTransaction<Names extends StoreName> = IDBPTransaction<Stores, Names[], "readwrite">

/** Returns the name of an account's database. */
export function databaseName(userId: string): string {
  return `famichat.${userId}`
}

/**
 * - `usable`: normal
 * - `blocked`: a tab with an older version of the client still uses the database, which must be upgraded
 * - `outdated`: a newer version of the client has upgraded it; this tab must reload
 */
export type DatabaseState = "usable" | "blocked" | "outdated"

const VERSION = 1

export class LocalDatabase {
  #database: Promise<IDBPDatabase<Stores> | undefined> | undefined
  durable = true
  state: DatabaseState = "usable"

  constructor(
    readonly userId: string,
    private readonly changed: () => void,
    private readonly version = VERSION,
  ) {}

  /** Runs a read, or returns `otherwise` if storage is unavailable. */
  async read<Result>(work: (database: IDBPDatabase<Stores>) => Promise<Result>, otherwise: Result): Promise<Result> {
    try {
      const database = await this.#open()
      return database ? await work(database) : otherwise
    } catch (error) {
      return this.#failed(error, otherwise)
    }
  }

  /** Runs a transaction. Resolves once it is on disk, or with `otherwise` if storage is unavailable. */
  async write<Names extends StoreName, Result>(
    stores: Names[],
    work: (write: WriteTransaction<Names>) => Promise<Result>,
    otherwise: Result,
  ): Promise<Result> {
    try {
      const database = await this.#open()
      if (!database) return otherwise
      const write = database.transaction(stores, "readwrite")
      const [result] = await Promise.all([work(write), write.done])
      return result
    } catch (error) {
      return this.#failed(error, otherwise)
    }
  }

  async close(): Promise<void> {
    const database = await this.#database
    database?.close()
  }

  #open(): Promise<IDBPDatabase<Stores> | undefined> {
    this.#database ??= openDB<Stores>(databaseName(this.userId), this.version, {
      upgrade(database, oldVersion) {
        if (oldVersion > 0) return
        const outbox = database.createObjectStore("outbox", { autoIncrement: true })
        outbox.createIndex("client_id", "client_id", { unique: true })
        for (const name of ["turns", "unsent", "conversations", "timelines", "facts"] as const) {
          database.createObjectStore(name)
        }
      },
      blocked: () => this.#setState("blocked"),
      blocking: (_current, _requested, event) => {
        ;(event.target as IDBDatabase).close()
        this.#setState("outdated")
      },
      // Phones close the connection of a sleeping page; the next access opens another.
      terminated: () => (this.#database = undefined),
    }).then(
      (database) => {
        if (this.state === "blocked") this.#setState("usable")
        return database
      },
      (error: unknown) => this.#failed(error, undefined),
    )
    return this.#database
  }

  #setState(state: DatabaseState): void {
    this.state = state
    this.changed()
  }

  #failed<Result>(error: unknown, otherwise: Result): Result {
    if (!(error instanceof DOMException)) throw error
    if (error.name === "VersionError") this.#setState("outdated")
    if (this.state === "outdated") return otherwise
    console.warn("this browser keeps nothing", error.name)
    this.durable = false
    this.changed()
    return otherwise
  }
}
