/**
 * Stores the bytes of attachments that wait to be sent, until the server has them.
 *
 * They are in a separate database, because they are created and deleted with drafts and never listed. If the browser
 * refuses storage, they are kept in memory.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb"

import { randomId } from "./random-id"

interface Stores extends DBSchema {
  blobs: { key: string; value: Blob }
}

/** Minimum age of an unreferenced blob before it is deleted: its draft may still be being written. */
const UNUSED_AFTER_MS = 60 * 60_000

export class BlobStore {
  readonly #memory = new Map<string, Blob>()
  readonly #writing = new Map<string, Promise<unknown>>()
  #database: Promise<IDBPDatabase<Stores> | undefined> | undefined

  constructor(private readonly userId: string) {}

  /** Stores bytes and returns their key. They are readable immediately, and on disk once `stored` resolves. */
  put(blob: Blob): string {
    const key = `${Date.now()}.${randomId()}`
    this.#memory.set(key, blob)
    // The stored copy replaces a chosen file, which may be changed or deleted before it is sent.
    const writing = this.#attempt((database) => database.put("blobs", blob, key)).then((stored) => {
      if (stored !== undefined && blob instanceof File) this.#memory.delete(key)
    })
    this.#writing.set(
      key,
      writing.finally(() => this.#writing.delete(key)),
    )
    return key
  }

  /** Waits until these bytes are on disk. */
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

  /** Deletes blobs that no draft references. */
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
