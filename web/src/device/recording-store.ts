/**
 * Stores a voice message while it is being recorded, so that it survives a reload, a crash and a closed browser.
 *
 * A recording is abandoned if no tab holds its lock. Web Locks are available wherever the microphone is, and the browser
 * releases them when a page ends in any way.
 */
import type { DBSchema } from "idb"

import { FileDatabase } from "./file-database"
import { randomId } from "../api/random-id"

/** A recording so far. */
export interface RecordingProgress {
  readonly duration_ms: number
  readonly waveform: readonly number[]
}

/** Where a recording is to be sent. */
export interface RecordingTarget {
  readonly conversation_id: string
  /** The name of the conversation. */
  readonly name: string
  /** The name of its file, without an extension. */
  readonly label: string
}

/** A recording that has ended, with its page or before. */
export interface EndedRecording extends RecordingTarget, RecordingProgress {
  readonly blob: Blob
}

interface Stores extends DBSchema {
  recordings: { key: string; value: RecordingTarget & RecordingProgress }
  /** The recorded bytes, by recording and number. */
  chunks: { key: [string, number]; value: Blob }
}

/** Returns the name of an account's database. */
export function recordingDatabaseName(userId: string): string {
  return `famichat.${userId}.recordings`
}

/** The stored copy of a recording in progress. */
export class RecordingCopy {
  readonly #id = randomId()
  readonly #release: () => void
  #count = 0
  #ended = false

  constructor(
    private readonly database: FileDatabase<Stores>,
    private readonly target: RecordingTarget,
  ) {
    this.#release = holdLock(lockName(this.#id))
  }

  /** Stores the next part of the recording. */
  async append(chunk: Blob, progress: RecordingProgress): Promise<void> {
    if (this.#ended) return
    const number = (this.#count += 1)
    await this.database.attempt(async (database) => {
      const write = database.transaction(["recordings", "chunks"], "readwrite")
      await Promise.all([
        write.objectStore("chunks").put(chunk, [this.#id, number]),
        write.objectStore("recordings").put({ ...this.target, ...progress }, this.#id),
        write.done,
      ])
    })
  }

  /** Deletes the copy: the recording is stored as an attachment, or was discarded. */
  async discard(): Promise<void> {
    this.#ended = true
    await deleteRecording(this.database, this.#id)
    this.#release()
  }
}

export class RecordingStore {
  readonly #database: FileDatabase<Stores>

  constructor(userId: string) {
    this.#database = new FileDatabase(recordingDatabaseName(userId), (database) => {
      database.createObjectStore("recordings")
      database.createObjectStore("chunks")
    })
  }

  begin(target: RecordingTarget): RecordingCopy {
    return new RecordingCopy(this.#database, target)
  }

  /** Passes each abandoned recording to `keep`, and then deletes it here. Only one tab gets it. */
  async takeAbandoned(keep: (recording: EndedRecording) => Promise<void>): Promise<void> {
    const ids = (await this.#database.attempt((database) => database.getAllKeys("recordings"))) ?? []
    for (const id of ids) {
      await withFreeLock(lockName(id), async () => {
        const found = await this.#read(id)
        if (found === undefined) return
        await keep(found)
        await deleteRecording(this.#database, id)
      })
    }
  }

  async close(): Promise<void> {
    await this.#database.close()
  }

  async #read(id: string): Promise<EndedRecording | undefined> {
    return await this.#database.attempt(async (database) => {
      const [recording, chunks] = await Promise.all([
        database.get("recordings", id),
        database.getAll("chunks", chunksOf(id)),
      ])
      return recording && { ...recording, blob: new Blob(chunks, { type: chunks[0]?.type ?? "" }) }
    })
  }
}

function chunksOf(id: string): IDBKeyRange {
  return IDBKeyRange.bound([id, 0], [id, Infinity])
}

async function deleteRecording(database: FileDatabase<Stores>, id: string): Promise<void> {
  await database.attempt(async (open) => {
    const write = open.transaction(["recordings", "chunks"], "readwrite")
    await Promise.all([
      write.objectStore("recordings").delete(id),
      write.objectStore("chunks").delete(chunksOf(id)),
      write.done,
    ])
  })
}

function lockName(id: string): string {
  return `famichat.recording.${id}`
}

/** Holds a lock until the returned function is called or the page ends. */
function holdLock(name: string): () => void {
  let release = () => undefined as void
  const held = new Promise<void>((resolve) => (release = resolve))
  void webLocks()?.request(name, () => held)
  return release
}

/** Runs a task with a lock, unless another tab holds it. */
async function withFreeLock(name: string, task: () => Promise<void>): Promise<void> {
  const locks = webLocks()
  if (locks) await locks.request(name, { ifAvailable: true }, async (lock) => lock && (await task()))
  else await task()
}

function webLocks(): LockManager | undefined {
  return (navigator as { locks?: LockManager }).locks
}
