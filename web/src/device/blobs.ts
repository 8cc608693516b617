/**
 * The bytes of what waits to be sent: on this device until the server has them.
 *
 * In a database of their own, because they come and go with drafts and are never shown in a list. Where the browser
 * keeps nothing they live in memory.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb"

import { randomId } from "./random-id"

interface Stores extends DBSchema {
  blobs: { key: string; value: Blob }
}

/** So old must a blob be that no draft names before it is thrown away: its draft may just be being written. */
const UNUSED_AFTER_MS = 60 * 60_000

export class BlobStore {
  readonly #memory = new Map<string, Blob>()
  readonly #writing = new Map<string, Promise<unknown>>()
  #database: Promise<IDBPDatabase<Stores> | undefined> | undefined

  constructor(private readonly userId: string) {}

  /** Keep some bytes; gives the key under which they are at once, and on the device as soon as `kept` says so. */
  put(blob: Blob): string {
    const key = `${Date.now()}.${randomId()}`
    this.#memory.set(key, blob)
    const writing = this.#attempt((database) => database.put("blobs", blob, key))
    this.#writing.set(
      key,
      writing.finally(() => this.#writing.delete(key)),
    )
    return key
  }

  /** Wait until the device has some bytes. */
  async stored(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#writing.get(key)))
  }

  async get(key: string): Promise<Blob | undefined> {
    return this.#memory.get(key) ?? (await this.#attempt((database) => database.get("blobs", key)))
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.#memory.delete(key)
      await this.#attempt((database) => database.delete("blobs", key))
    }
  }

  /** Throw away what no draft names any more. */
  async removeUnused(wanted: ReadonlySet<string>): Promise<void> {
    const keys = (await this.#attempt((database) => database.getAllKeys("blobs"))) ?? []
    await this.remove(keys.filter((key) => !wanted.has(key) && Date.now() - Number.parseInt(key) > UNUSED_AFTER_MS))
  }

  async close(): Promise<void> {
    const database = await this.#database
    database?.close()
  }

  async #attempt<Result>(operation: (database: IDBPDatabase<Stores>) => Promise<Result>): Promise<Result | undefined> {
    try {
      const database = await this.#open()
      return database && (await operation(database))
    } catch (error) {
      return unavailable(error)
    }
  }

  #open(): Promise<IDBPDatabase<Stores> | undefined> {
    this.#database ??= openDB<Stores>(`famichat.${this.userId}.blobs`, 1, {
      upgrade: (database) => database.createObjectStore("blobs"),
      terminated: () => (this.#database = undefined),
    }).catch(unavailable)
    return this.#database
  }
}

function unavailable(error: unknown): undefined {
  if (!(error instanceof DOMException)) throw error
  console.warn("this browser keeps no files", error.name)
}
