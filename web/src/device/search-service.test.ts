import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import type { TextEntry } from "../models/search/text-entry"
import { SearchService } from "./search-service"

function entry(seq: number, text: string | null, details: Partial<TextEntry> = {}): TextEntry {
  const sentAt = new Date(Date.UTC(2026, 10, 23, 12, 0, seq)).toISOString()
  return { conversationId: "kitchen", seq, userId: "inga", sentAt, editedAt: null, change: 0, text, ...details }
}

async function search(text: string, conversationId?: string, limit = 20) {
  return await service.search({ text, conversationId, limit })
}
const found = async (text: string, conversationId?: string) =>
  (await search(text, conversationId))?.messages.map(({ conversationId, seq }) => `${conversationId} ${seq}`)

let service: SearchService

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  service = new SearchService("maja")
})
afterEach(() => vi.unstubAllGlobals())

test("a hit has its sender, time and context", async () => {
  await service.put([entry(1, "The Ferry leaves at ten")])
  expect(await search("ferry")).toEqual({
    messages: [
      {
        conversationId: "kitchen",
        seq: 1,
        userId: "inga",
        sentAt: "2026-11-23T12:00:01.000Z",
        excerpt: [
          { text: "The ", hit: false },
          { text: "Ferry", hit: true },
          { text: " leaves at ten", hit: false },
        ],
      },
    ],
    more: false,
    locked: 0,
  })
})

test("all conversations are searched, or one", async () => {
  await service.put([entry(1, "ferry"), entry(2, "ferry", { conversationId: "attic" })])
  expect(await found("ferry")).toEqual(["attic 2", "kitchen 1"])
  expect(await found("ferry", "kitchen")).toEqual(["kitchen 1"])
})

test("messages that arrive, change or vanish between two searches are taken into account", async () => {
  await service.put([entry(1, "ferry"), entry(2, "ferry")])
  await found("ferry")
  await service.put([entry(3, "ferry"), entry(2, "", { change: 1 }), entry(1, "bus", { change: 2 })])
  expect(await found("ferry")).toEqual(["kitchen 3"])
  expect(await found("bus")).toEqual(["kitchen 1"])
  await service.remove("kitchen")
  expect(await found("bus")).toEqual([])
})

test("a message that another tab deleted is not found", async () => {
  await service.put([entry(1, "ferry")])
  await found("ferry")
  await new SearchService("maja").put([entry(1, "", { change: 1 })])
  expect(await found("ferry")).toEqual([])
})

test("a write that was requested before a removal does not outlive it", async () => {
  const [written, removed] = [service.put([entry(1, "ferry")]), service.remove("kitchen")]
  await Promise.all([written, removed])
  expect(await found("ferry")).toEqual([])
})

test("a newer search replaces the current one, and a search can be cancelled", async () => {
  await service.put([entry(1, "ferry")])
  const [earlier, later] = [search("fer"), search("ferry")]
  expect(await earlier).toBeUndefined()
  expect((await later)?.messages).toHaveLength(1)
  const cancelled = search("ferry")
  await service.cancel()
  expect(await cancelled).toBeUndefined()
})

test("a long scan is interrupted for other requests", async () => {
  const paused = vi.fn(async () => undefined)
  const interrupted = new SearchService("maja", paused)
  await interrupted.put([entry(1, "ferry"), entry(5_000, "ferry")])
  let now = 0
  vi.spyOn(performance, "now").mockImplementation(() => (now += 9))
  expect((await interrupted.search({ text: "ferry", conversationId: undefined, limit: 9 }))?.messages).toHaveLength(2)
  expect(paused).toHaveBeenCalled()
  vi.restoreAllMocks()
})

test("released segments are loaded again", async () => {
  await service.put([entry(1, "ferry")])
  await found("ferry")
  await service.release()
  expect(await found("ferry")).toEqual(["kitchen 1"])
})

test("recent queries survive a restart, and can be forgotten", async () => {
  await Promise.all([service.remember("ferry"), service.remember("pump")])
  expect(await new SearchService("maja").recent()).toEqual(["pump", "ferry"])
  await service.forgetRecent()
  expect(await service.recent()).toEqual([])
})

test("an empty query finds nothing; more hits than the limit, and messages that cannot be read, are reported", async () => {
  await service.put([entry(1, "ferry"), entry(2, "ferry"), entry(3, null)])
  expect((await search(" "))?.messages).toEqual([])
  const limited = await search("ferry", undefined, 1)
  expect(limited?.messages.map(({ seq }) => seq)).toEqual([2])
  expect([limited?.more, limited?.locked]).toEqual([true, 1])
})
