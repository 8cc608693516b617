import "fake-indexeddb/auto"

import { expect, test } from "vitest"

import { conversation, messages } from "../models/fixtures"
import { begin, receive } from "../models/timeline"
import { Desk } from "./drafts"
import { Kept } from "./database"
import { Recall } from "./offline-cache"
import { Wire } from "./tab-channel"

const known = (count: number) => ({
  conversation: conversation("kitchen", { last_seq: count }),
  timeline: receive(begin("e1", 0), messages(1, count)),
  receipts: new Map([["inga", { delivered: count, read: 1 }]]),
})

test("what was seen last time is there again: the end of each conversation", async () => {
  const kept = new Kept("recalling", () => undefined)
  const recall = new Recall(kept)
  recall.note("kitchen", () => known(500))
  recall.note("kitchen", () => known(501))
  await recall.flush()
  const { conversations, timelines } = await new Recall(new Kept("recalling", () => undefined)).load()
  expect(conversations.map((each) => [each.id, each.last_seq])).toEqual([["kitchen", 501]])
  expect(timelines.get("kitchen")).toMatchObject({ epoch: "e1", before: 381, last: 501 })
  expect(timelines.get("kitchen")?.receipts).toEqual([["inga", { delivered: 501, read: 1 }]])
})

test("a conversation that is gone is forgotten", async () => {
  const recall = new Recall(new Kept("leaving", () => undefined))
  recall.note("kitchen", () => known(3))
  await recall.flush()
  recall.note("kitchen", () => undefined)
  await recall.flush()
  expect((await recall.load()).conversations).toEqual([])
})

test("signing out forgets what others wrote, and keeps one's own unsent words", async () => {
  const kept = new Kept("signing out", () => undefined)
  const [recall, wire] = [new Recall(kept), new Wire("signing out")]
  const desk = new Desk(kept, wire, () => undefined)
  recall.note("kitchen", () => known(3))
  await recall.flush()
  await recall.noteAround({ families: [], households: [] })
  await desk.write("kitchen", "half a sen", "Kitchen")
  await recall.clear()
  expect(await recall.load()).toEqual({ conversations: [], timelines: new Map(), around: undefined })
  const again = new Desk(kept, wire, () => undefined)
  await again.load()
  expect(again.all.get("kitchen")?.text).toBe("half a sen")
  wire.close()
})
