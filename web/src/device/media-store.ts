/**
 * Stores viewed photos and voice messages on this device, so that they are available offline and downloaded once.
 *
 * The server forbids the browser's HTTP cache to keep them, which would outlive a sign-out. If the browser refuses storage,
 * nothing is stored.
 */
import type { DBSchema } from "idb"

import { FileDatabase } from "./file-database"

/** Where a file was seen, so that it is deleted with its message or conversation. */
export interface MediaOrigin {
  readonly messageId: string
  readonly conversationId: string
}

interface Entry extends MediaOrigin {
  readonly size: number
  readonly usedAt: number
}

interface Stores extends DBSchema {
  /** Separate from the bytes, so that the sizes can be summed up without reading these. */
  entries: { key: string; value: Entry; indexes: { messageId: string; conversationId: string; usedAt: number } }
  blobs: { key: string; value: Blob }
}

const MAX_BYTES = 200_000_000
/** A file larger than this share of the limit would displace too many others. */
const MAX_SHARE = 0.25

export class MediaStore {
  readonly #database: FileDatabase<Stores>
  #closed = false

  constructor(
    userId: string,
    private readonly maxBytes = MAX_BYTES,
  ) {
    this.#database = new FileDatabase(`famichat.${userId}.media`, (database) => {
      const entries = database.createObjectStore("entries")
      for (const index of ["messageId", "conversationId", "usedAt"] as const) entries.createIndex(index, index)
      database.createObjectStore("blobs")
    })
  }

  async get(key: string): Promise<Blob | undefined> {
    if (this.#closed) return undefined
    return await this.#database.attempt(async (database) => {
      const write = database.transaction(["entries", "blobs"], "readwrite")
      const entries = write.objectStore("entries")
      const [entry, blob] = await Promise.all([entries.get(key), write.objectStore("blobs").get(key)])
      if (entry) await entries.put({ ...entry, usedAt: Date.now() }, key)
      await write.done
      return blob
    })
  }

  /** Stores bytes, and deletes the least recently used ones to stay within the limit. */
  async put(key: string, blob: Blob, { messageId, conversationId }: MediaOrigin): Promise<void> {
    if (this.#closed || blob.size > this.maxBytes * MAX_SHARE) return
    await this.#database.attempt(async (database) => {
      const write = database.transaction(["entries", "blobs"], "readwrite")
      const [entries, blobs] = [write.objectStore("entries"), write.objectStore("blobs")]
      await Promise.all([
        entries.put({ messageId, conversationId, size: blob.size, usedAt: Date.now() }, key),
        blobs.put(blob, key),
      ])
      let total = (await entries.getAll()).reduce((sum, { size }) => sum + size, 0)
      let oldest = await entries.index("usedAt").openCursor()
      while (oldest && total > this.maxBytes) {
        total -= oldest.value.size
        await Promise.all([oldest.delete(), blobs.delete(oldest.primaryKey)])
        oldest = await oldest.continue()
      }
      await write.done
    })
  }

  /** Deletes the files of a message or conversation. */
  async removeAll(by: "messageId" | "conversationId", id: string): Promise<void> {
    if (this.#closed) return
    await this.#database.attempt(async (database) => {
      const write = database.transaction(["entries", "blobs"], "readwrite")
      const [entries, blobs] = [write.objectStore("entries"), write.objectStore("blobs")]
      const keys = await entries.index(by).getAllKeys(id)
      await Promise.all(keys.flatMap((key) => [entries.delete(key), blobs.delete(key)]))
      await write.done
    })
  }

  /** Returns the sum of the sizes of all files, in bytes. */
  async size(): Promise<number> {
    const entries = await this.#database.attempt((database) => database.getAll("entries"))
    return (entries ?? []).reduce((sum, { size }) => sum + size, 0)
  }

  /** Deletes all files. */
  async empty(): Promise<void> {
    await this.#database.attempt(async (database) => {
      const write = database.transaction(["entries", "blobs"], "readwrite")
      await Promise.all([write.objectStore("entries").clear(), write.objectStore("blobs").clear(), write.done])
    })
  }

  /** Deletes everything when the device is signed out. A download that ends later is not stored. */
  async clear(): Promise<void> {
    this.#closed = true
    await this.empty()
    await this.#database.close()
  }
}
