import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import type { HistoryHead } from "../models/search/fill-progress"
import type { TextEntry } from "../models/search/text-entry"
import { deleteSearchTexts, SearchStore } from "./search-store"

const KITCHEN: HistoryHead = {
  conversationId: "kitchen",
  epoch: "e1",
  lastSeq: 10,
  lastChange: 4,
  lastAt: "2026-11-23T12:00:10Z",
}

function entry(seq: number, text: string | null, details: Partial<TextEntry> = {}): TextEntry {
  const sentAt = `2026-11-23T12:00:${String(seq).padStart(2, "0")}Z`
  return { conversationId: "kitchen", seq, userId: "inga", sentAt, editedAt: null, change: 0, text, ...details }
}

/** The folded texts of all segments. */
const folded = async (store: SearchStore) => (await store.segments()).flatMap(({ text }) => text.split("\n"))
const kept = async (store: SearchStore, ...seqs: number[]) =>
  (await store.entries(seqs.map((seq) => ({ conversationId: "kitchen", seq })))).map(({ text }) => text)

let store: SearchStore

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  store = new SearchStore("maja")
})
afterEach(() => vi.unstubAllGlobals())

test("texts are stored as written and as searched, in the order of the conversation, and survive a restart", async () => {
  await store.put([entry(2, "サクラ"), entry(1, "Crème")])
  await store.put([entry(3, "Third"), entry(1_500, "Far")])
  const restarted = new SearchStore("maja")
  expect(await folded(restarted)).toEqual(["creme", "さくら", "third", "far"])
  expect(await kept(restarted, 1, 2)).toEqual(["Crème", "サクラ"])
})

test("an edit replaces a text, and a deletion removes it", async () => {
  await store.put([entry(1, "Ferry"), entry(2, "Noon")])
  await store.put([entry(1, "Bus", { change: 1, editedAt: "2026-11-23T13:00:00Z" }), entry(2, "", { change: 2 })])
  expect(await folded(store)).toEqual(["bus"])
  expect(await kept(store, 1, 2)).toEqual(["Bus", ""])
})

test("a version that arrives late does not bring a deleted text back", async () => {
  await store.put([entry(1, "", { change: 3 })])
  await store.put([entry(1, "Secret", { change: 2 })])
  await store.put([entry(1, "Secret")])
  expect(await folded(store)).toEqual([""])
  expect(await kept(store, 1)).toEqual([""])
})

test("a text that was decrypted once is kept when the device cannot decrypt it again, until it is edited", async () => {
  await store.put([entry(1, "Ferry"), entry(2, null)])
  await store.put([entry(1, null), entry(1, null, { change: 1 })])
  expect(await kept(store, 1)).toEqual(["Ferry"])
  expect([...((await store.segments())[0]?.locked ?? [])]).toEqual([2])
  await store.put([entry(1, null, { change: 2, editedAt: "2026-11-23T13:00:00Z" })])
  expect(await kept(store, 1)).toEqual([null])
  expect(await folded(store)).toEqual([""])
})

test("filling begins at the end of the history, and continues after a restart", async () => {
  const [begun] = await store.begin([KITCHEN])
  expect(begun).toMatchObject({ before: 10, last: 10, changes: 4, complete: false })
  const reached = { ...begun!, before: 8, reachedAt: "2026-11-23T12:00:09Z" }
  await store.putPage([entry(9, "Nine"), entry(10, "Ten")], reached)
  expect(await new SearchStore("maja").begin([KITCHEN])).toEqual([reached])
})

test("live messages and changes that follow without a gap need not be fetched", async () => {
  await store.begin([KITCHEN])
  const { progress } = await store.put([entry(12, "Twelve"), entry(11, "Eleven"), entry(3, "Three", { change: 5 })])
  expect(progress).toMatchObject([{ last: 12, changes: 5 }])
  const later = await store.put([entry(14, "Fourteen"), entry(4, "Four", { change: 7 })])
  expect(later.progress).toMatchObject([{ last: 12, changes: 5 }])
})

test("no change is skipped if texts were stored before the filling began", async () => {
  await store.put([entry(3, "Three")])
  expect(await store.begin([KITCHEN])).toMatchObject([{ changes: 0 }])
})

test("two tabs that fill the same conversation keep the larger range", async () => {
  const [begun] = await store.begin([KITCHEN])
  await store.putPage([], { ...begun!, before: 4, complete: true })
  const { progress } = await new SearchStore("maja").putPage([], { ...begun!, before: 8, last: 12 })
  expect(progress).toMatchObject([{ before: 4, last: 12, complete: true }])
})

test("the texts of a removed conversation are deleted, and a page that arrives later is not stored", async () => {
  const [begun] = await store.begin([KITCHEN])
  await store.put([entry(1, "One"), entry(1, "Attic", { conversationId: "attic" })])
  await store.remove("kitchen")
  await store.putPage([entry(2, "Two")], begun!)
  expect(await folded(store)).toEqual(["attic"])
  expect(await kept(store, 1, 2)).toEqual([])
})

test("conversations that the user is no longer in are forgotten", async () => {
  await store.begin([KITCHEN, { ...KITCHEN, conversationId: "attic" }])
  await store.put([entry(1, "One"), entry(1, "Attic", { conversationId: "attic" })])
  await store.retain(["attic"])
  expect(await folded(store)).toEqual(["attic"])
})

test("the texts of a history that the server lost are deleted", async () => {
  const [begun] = await store.begin([KITCHEN])
  await store.put([entry(1, "One")])
  const restored = { ...KITCHEN, epoch: "e2", lastSeq: 2 }
  expect(await store.begin([restored])).toMatchObject([{ epoch: "e2", before: 2, changes: 4 }])
  await store.putPage([entry(9, "Nine")], begun!)
  expect(await folded(store)).toEqual([])
})

test("a sign-out deletes everything, although another tab uses the database", async () => {
  await store.put([entry(1, "One")])
  await deleteSearchTexts("maja")
  expect(await new SearchStore("maja").segments()).toEqual([])
})

test("a browser that stores nothing finds nothing", async () => {
  vi.stubGlobal("indexedDB", {
    open: () => {
      throw new DOMException("", "SecurityError")
    },
    deleteDatabase: () => {
      throw new DOMException("", "SecurityError")
    },
  })
  vi.spyOn(console, "warn").mockImplementation(() => undefined)
  const refused = new SearchStore("maja")
  expect(await refused.put([entry(1, "One")])).toEqual({ segments: [], progress: [] })
  expect(await refused.begin([KITCHEN])).toEqual([])
  expect(await refused.segments()).toEqual([])
  await deleteSearchTexts("maja")
})
