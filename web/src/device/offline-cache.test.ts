import "fake-indexeddb/auto"

import { expect, test } from "vitest"

import { conversation, messages } from "../models/fixtures"
import { emptyTimeline, receive } from "../models/messages/timeline"
import { Drafts } from "./drafts.svelte"
import { LocalDatabase } from "./database"
import { OfflineCache } from "./offline-cache"
import { TabChannel } from "./tab-channel"

const known = (count: number) => ({
  conversation: conversation("kitchen", { last_seq: count }),
  timeline: receive(emptyTimeline("e1", 0), messages(1, count)),
  receipts: new Map([["inga", { delivered: count, read: 1 }]]),
  marks: { pinned: [], starred: [2], hidden: [1] },
})

test("the end of each conversation is restored", async () => {
  const kept = new LocalDatabase("recalling", () => undefined)
  const recall = new OfflineCache(kept)
  recall.schedule("kitchen", () => known(500))
  recall.schedule("kitchen", () => known(501))
  await recall.flush()
  const { conversations, timelines } = await new OfflineCache(new LocalDatabase("recalling", () => undefined)).load()
  expect(conversations.map((each) => [each.id, each.last_seq])).toEqual([["kitchen", 501]])
  expect(timelines.get("kitchen")).toMatchObject({ epoch: "e1", before: 381, last: 501 })
  expect(timelines.get("kitchen")?.receipts).toEqual([["inga", { delivered: 501, read: 1 }]])
})

test("a removed conversation is deleted", async () => {
  const recall = new OfflineCache(new LocalDatabase("leaving", () => undefined))
  recall.schedule("kitchen", () => known(3))
  await recall.flush()
  recall.schedule("kitchen", () => undefined)
  await recall.flush()
  expect((await recall.load()).conversations).toEqual([])
})

test("signing out deletes received messages and keeps own unsent ones", async () => {
  const kept = new LocalDatabase("signing out", () => undefined)
  const [recall, wire] = [new OfflineCache(kept), new TabChannel("signing out")]
  const desk = new Drafts(kept, wire)
  recall.schedule("kitchen", () => known(3))
  await recall.flush()
  await recall.saveContacts({ families: [], households: [] })
  await desk.write("kitchen", "half a sen", "Kitchen")
  await recall.clear()
  expect(await recall.load()).toEqual({ conversations: [], timelines: new Map(), around: undefined })
  const again = new Drafts(kept, wire)
  await again.load()
  expect(again.get("kitchen")?.text).toBe("half a sen")
  wire.close()
})
