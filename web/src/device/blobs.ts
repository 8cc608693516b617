/**
 * Stores the bytes of attachments that wait to be sent, until the server has them.
 *
 * They are in a separate database, because they are created and deleted with drafts and never listed. If the browser
 * refuses storage, they are kept in memory.
 */
import type { DBSchema } from "idb"

import { randomId } from "../api/random-id"
import { FileDatabase } from "./file-database"

interface Stores extends DBSchema {
  blobs: { key: string; value: Blob }
}

/** Minimum age of an unreferenced blob before it is deleted: its draft may still be being written. */
const UNUSED_AFTER_MS = 60 * 60_000

/** Returns the name of an account's database. */
export function blobDatabaseName(userId: string): string {
  return `famichat.${userId}.blobs`
}

export class BlobStore {
  readonly #memory = new Map<string, Blob>()
  readonly #writing = new Map<string, Promise<unknown>>()
  readonly #database: FileDatabase<Stores>

  constructor(userId: string) {
    this.#database = new FileDatabase(blobDatabaseName(userId), (database) => database.createObjectStore("blobs"))
  }

  /** Stores bytes and returns their key. They are readable immediately, and on disk once `stored` resolves. */
  put(blob: Blob): string {
    const key = `${Date.now()}.${randomId()}`
    this.#memory.set(key, blob)
    // The stored copy replaces a chosen file, which may be changed or deleted before it is sent.
    const writing = this.#database
      .attempt((database) => database.put("blobs", blob, key))
      .then((stored) => {
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
    return this.#memory.get(key) ?? (await this.#database.attempt((database) => database.get("blobs", key)))
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      this.#memory.delete(key)
      await this.#database.attempt((database) => database.delete("blobs", key))
    }
  }

  /** Deletes blobs that no draft references. */
  async removeUnused(wanted: ReadonlySet<string>): Promise<void> {
    const keys = (await this.#database.attempt((database) => database.getAllKeys("blobs"))) ?? []
    await this.remove(keys.filter((key) => !wanted.has(key) && Date.now() - Number.parseInt(key) > UNUSED_AFTER_MS))
  }

  async close(): Promise<void> {
    await this.#database.close()
  }
}
