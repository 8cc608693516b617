/**
 * What this device keeps of one account: a database in the browser, which all tabs share.
 *
 * Some browsers refuse to keep anything (a private window, a full disk). Then everything goes on in memory, and
 * `durable` is false, so that the page can say it.
 */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, type StoreNames } from "idb"

import type { PendingAttachment } from "../models/attachments"
import type { OutgoingMessage } from "../models/outbox"
import type { ReceiptPosition } from "../models/receipts"
import type { ConversationSummary, Message } from "../api/types"

/** The end of a timeline, as it was when it was last seen. */
export interface CachedTimeline {
  readonly epoch: string
  readonly messages: readonly Message[]
  readonly before: number
  readonly last: number
  /** Up to which change; what an older version kept does not say. */
  readonly changes?: number
  readonly receipts: readonly (readonly [string, ReceiptPosition])[]
}

/** What somebody was writing, and where: the name is for the day when that conversation is gone. */
export interface Draft {
  readonly text: string
  readonly name: string
  /** Photos, files and voice notes that will go with it. */
  readonly enclosures?: readonly PendingAttachment[]
}

export interface Stores extends DBSchema {
  /** In the order in which it was written. */
  outbox: { key: number; value: OutgoingMessage; indexes: { client_id: string } }
  /** Which tab is sending in a conversation, and until when nobody else may. */
  turns: { key: string; value: { readonly tab: string; readonly until: number } }
  unsent: { key: string; value: Draft }
  conversations: { key: string; value: ConversationSummary }
  timelines: { key: string; value: CachedTimeline }
  /** Names of people, families and whatever else is one value. */
  facts: { key: string; value: unknown }
}

export type StoreName = StoreNames<Stores>
export type WriteTransaction<Names extends StoreName> = IDBPTransaction<Stores, Names[], "readwrite">

/** What the database of an account is called. */
export function databaseName(userId: string): string {
  return `famichat.${userId}`
}

export class LocalDatabase {
  #database: Promise<IDBPDatabase<Stores> | undefined> | undefined
  durable = true

  constructor(
    readonly userId: string,
    private readonly changed: () => void,
  ) {}

  /** Read one thing, or give `otherwise` where nothing can be kept. */
  async read<Result>(work: (database: IDBPDatabase<Stores>) => Promise<Result>, otherwise: Result): Promise<Result> {
    try {
      const database = await this.#open()
      return database ? await work(database) : otherwise
    } catch (error) {
      return this.#failed(error, otherwise)
    }
  }

  /** Change something in one transaction. Once this is resolved it is on the device, or `otherwise` is the answer. */
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
    this.#database ??= openDB<Stores>(databaseName(this.userId), 1, {
      upgrade(database) {
        const outbox = database.createObjectStore("outbox", { autoIncrement: true })
        outbox.createIndex("client_id", "client_id", { unique: true })
        for (const name of ["turns", "unsent", "conversations", "timelines", "facts"] as const) {
          database.createObjectStore(name)
        }
      },
      // Phones take a sleeping page's connection away; the next use opens another.
      terminated: () => (this.#database = undefined),
    }).catch((error: unknown) => this.#failed(error, undefined))
    return this.#database
  }

  #failed<Result>(error: unknown, otherwise: Result): Result {
    if (!(error instanceof DOMException)) throw error
    console.warn("this browser keeps nothing", error.name)
    this.durable = false
    this.changed()
    return otherwise
  }
}
