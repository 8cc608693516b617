/**
 * The texts of messages for the search, in a separate database, which an old tab that uses the others never blocks. The
 * search worker uses it; a page only deletes it. If the browser refuses storage, nothing is stored.
 */
import { deleteDB, type DBSchema, type IDBPDatabase } from "idb"

import {
  beginProgress,
  furthest,
  withEntries,
  type FillProgress,
  type HistoryHead,
} from "../models/search/fill-progress"
import { fold } from "../models/search/fold"
import { segmentNumber, withLines, type Line, type Segment } from "../models/search/segment"
import { currentEntry, type TextEntry } from "../models/search/text-entry"
import { FileDatabase } from "./file-database"

type Place = [conversationId: string, seq: number]

interface Stores extends DBSchema {
  /** The current version of each message, also of those without a text: an older version may still arrive. */
  texts: { key: Place; value: TextEntry }
  /** The same texts as they are scanned, by conversation and `segmentNumber`. */
  segments: { key: Place; value: Segment }
  /** By conversation. */
  progress: { key: string; value: FillProgress }
  /** Recent queries, under one key. */
  recent: { key: string; value: readonly string[] }
}

/** The stores of one write. */
const NAMES = ["texts", "segments", "progress"] as const
const RECENT = "queries"

function databaseName(userId: string): string {
  return `famichat.${userId}.search`
}

/** Deletes all texts when the device is signed out. Resolves once they are gone. */
export async function deleteSearchTexts(userId: string): Promise<void> {
  try {
    await deleteDB(databaseName(userId))
  } catch (error) {
    if (!(error instanceof DOMException)) throw error // This browser stores nothing.
  }
}

export interface Written {
  readonly segments: readonly Segment[]
  /** Of the conversations that are being filled. */
  readonly progress: readonly FillProgress[]
}

const NOTHING: Written = { segments: [], progress: [] }

export class SearchStore {
  readonly #database: FileDatabase<Stores>

  constructor(userId: string) {
    this.#database = new FileDatabase(databaseName(userId), (database) => {
      for (const name of [...NAMES, "recent"] as const) database.createObjectStore(name)
    })
  }

  /** Stores messages: new ones, and new versions. */
  async put(entries: readonly TextEntry[]): Promise<Written> {
    return (await this.#attempt((write) => putEntries(write, entries))) ?? NOTHING
  }

  /**
   * Stores a page of the history, and how far the filling is now. A conversation that was removed, or whose history was
   * replaced, since the page was requested stays as it is.
   */
  async putPage(entries: readonly TextEntry[], reached: FillProgress): Promise<Written> {
    const written = await this.#attempt(async (write): Promise<Written> => {
      const progress = write.objectStore("progress")
      const known = await progress.get(reached.conversationId)
      if (known?.epoch !== reached.epoch) return NOTHING
      await progress.put(furthest(known, reached), reached.conversationId)
      const { segments, progress: stored } = await putEntries(write, entries)
      return { segments, progress: stored.length > 0 ? stored : [furthest(known, reached)] }
    })
    return written ?? NOTHING
  }

  /** Returns how far these conversations are filled. Texts of a history that the server no longer has are deleted. */
  async begin(heads: readonly HistoryHead[]): Promise<readonly FillProgress[]> {
    const found = await this.#attempt(async (write) => {
      const found: FillProgress[] = []
      for (const head of heads) found.push(await beginOne(write, head))
      return found
    })
    return found ?? []
  }

  /** Deletes the texts of a conversation. */
  async remove(conversationId: string): Promise<void> {
    await this.#attempt((write) => removeConversation(write, conversationId))
  }

  /** Deletes the texts of all conversations but these. */
  async retain(conversationIds: readonly string[]): Promise<void> {
    await this.#attempt(async (write) => {
      const known = await write.objectStore("progress").getAllKeys()
      for (const id of known) if (!conversationIds.includes(id)) await removeConversation(write, id)
    })
  }

  async segments(): Promise<readonly Segment[]> {
    return (await this.#database.attempt((database) => database.getAll("segments"))) ?? []
  }

  /** Returns the current versions of messages, without those that are gone. */
  async entries(places: readonly { conversationId: string; seq: number }[]): Promise<readonly TextEntry[]> {
    const found = await this.#database.attempt(async (database) => {
      const texts = database.transaction("texts").store
      return await Promise.all(places.map(({ conversationId, seq }) => texts.get([conversationId, seq])))
    })
    return (found ?? []).filter((entry) => entry !== undefined)
  }

  async recent(): Promise<readonly string[]> {
    return (await this.#database.attempt((database) => database.get("recent", RECENT))) ?? []
  }

  async setRecent(queries: readonly string[]): Promise<void> {
    await this.#database.attempt((database) => database.put("recent", queries, RECENT))
  }

  async close(): Promise<void> {
    await this.#database.close()
  }

  async #attempt<Result>(work: (write: Write) => Promise<Result>): Promise<Result | undefined> {
    return await this.#database.attempt(async (database) => {
      const write = transaction(database)
      const [result] = await Promise.all([work(write), write.done])
      return result
    })
  }
}

function transaction(database: IDBPDatabase<Stores>) {
  return database.transaction(NAMES, "readwrite")
}

type Write = ReturnType<typeof transaction>

async function putEntries(write: Write, entries: readonly TextEntry[]): Promise<Written> {
  const segments: Segment[] = []
  for (const [id, ofConversation] of grouped(entries, ({ conversationId }) => conversationId)) {
    for (const [number, ofSegment] of grouped(ofConversation, ({ seq }) => segmentNumber(seq))) {
      segments.push(await putInSegment(write, id, number, ofSegment))
    }
  }
  return { segments, progress: await noteEntries(write, entries) }
}

/** Stores messages of one segment. */
async function putInSegment(
  write: Write,
  conversationId: string,
  number: number,
  entries: readonly TextEntry[],
): Promise<Segment> {
  const [texts, segments] = [write.objectStore("texts"), write.objectStore("segments")]
  const known = await Promise.all(entries.map(({ seq }) => texts.get([conversationId, seq])))
  const current = new Map<number, TextEntry>()
  for (const [index, arrived] of entries.entries()) {
    const { seq } = arrived
    current.set(seq, currentEntry(current.get(seq) ?? known[index], arrived))
  }
  await Promise.all([...current].map(([seq, entry]) => texts.put(entry, [conversationId, seq])))
  const lines = new Map([...current].map(([seq, entry]) => [seq, lineOf(entry)]))
  const key: Place = [conversationId, number]
  const segment = withLines({ conversationId, number }, await segments.get(key), lines)
  await segments.put(segment, key)
  return segment
}

async function noteEntries(write: Write, entries: readonly TextEntry[]): Promise<FillProgress[]> {
  const store = write.objectStore("progress")
  const noted: FillProgress[] = []
  for (const [id, ofConversation] of grouped(entries, ({ conversationId }) => conversationId)) {
    const known = await store.get(id)
    if (!known) continue
    const now = withEntries(known, ofConversation)
    if (now !== known) await store.put(now, id)
    noted.push(now)
  }
  return noted
}

async function beginOne(write: Write, head: HistoryHead): Promise<FillProgress> {
  const { conversationId } = head
  const store = write.objectStore("progress")
  const known = await store.get(conversationId)
  if (known?.epoch === head.epoch) return known
  if (known) await removeConversation(write, conversationId)
  const begun = beginProgress(head, (await write.objectStore("segments").count(allOf(conversationId))) > 0)
  await store.put(begun, conversationId)
  return begun
}

async function removeConversation(write: Write, conversationId: string): Promise<void> {
  await Promise.all([
    write.objectStore("texts").delete(allOf(conversationId)),
    write.objectStore("segments").delete(allOf(conversationId)),
    write.objectStore("progress").delete(conversationId),
  ])
}

function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}

/** The keys of a conversation's messages or segments. */
function allOf(conversationId: string): IDBKeyRange {
  return IDBKeyRange.bound([conversationId], [conversationId, []])
}

function lineOf({ text, sentAt }: TextEntry): Line {
  return { text: text && fold(text), time: Math.floor(Date.parse(sentAt) / 1_000) }
}
