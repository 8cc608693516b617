import { expect, test } from "vitest"

import { fold, queryWords } from "./fold"
import { Scan } from "./scan"
import { segmentNumber, withLines, type Segment } from "./segment"

/** A segment of texts by `seq`; each message is a second newer than the one before. */
function segment(texts: Record<number, string | null>, before?: Segment): Segment {
  const lines = Object.entries(texts).map(
    ([seq, text]) => [Number(seq), { text: text === null ? null : fold(text), time: 1_000 + Number(seq) }] as const,
  )
  return withLines({ conversationId: "kitchen", number: 0 }, before, new Map(lines))
}

function found(query: string, segments: readonly Segment[], limit = 20): readonly number[] {
  const scan = new Scan(queryWords(query), limit)
  for (const each of segments) scan.scan(each)
  return scan.hits.map(({ seq }) => seq)
}

const kitchen = segment({
  1: "The ferry leaves at ten",
  2: "At noon, please",
  3: "Noon it is.\nFerry is booked",
  4: "さくら",
})

test("the newest hits come first, whatever their case and line breaks", () => {
  expect(found("FERRY", [kitchen])).toEqual([3, 1])
  expect(found("サクラ", [kitchen])).toEqual([4])
  expect(found("pump", [kitchen])).toEqual([])
})

test("all words must occur in one message, in any order", () => {
  expect(found("ten ferry", [kitchen])).toEqual([1])
  expect(found("ferry noon", [kitchen])).toEqual([3])
  expect(found("please booked", [kitchen])).toEqual([])
})

test("a hit does not reach from one message into the next", () => {
  expect(found("tenat", [kitchen])).toEqual([])
  expect(found("n at", [segment({ 1: "n", 2: "at" })])).toEqual([])
})

test("beginnings of words come before hits inside words, and Japanese has no beginnings", () => {
  expect(found("art", [segment({ 1: "art school", 2: "a part of it", 3: "start" })])).toEqual([1, 3, 2])
  expect(found("京都", [segment({ 1: "京都", 2: "東京都" })])).toEqual([2, 1])
})

test("the limit keeps the newest of many hits, and all are counted", () => {
  const many = segment(Object.fromEntries(Array.from({ length: 900 }, (_, index) => [index + 1, "yes"])))
  const scan = new Scan(["yes"], 20)
  scan.scan(many)
  expect(scan.hits.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => 900 - index))
  expect(scan.count).toBe(900)
  expect(scan.endsBefore(1_881)).toBe(true)
  expect(scan.endsBefore(1_882)).toBe(false)
})

test("messages are added, replaced and removed", () => {
  const changed = segment({ 2: "At midnight", 3: "", 5: "Noon" }, kitchen)
  expect(found("noon", [changed])).toEqual([5])
  expect(found("midnight", [changed])).toEqual([2])
  expect(found("ferry", [changed])).toEqual([1])
  expect(changed.newest).toBe(1_005)
})

test("messages that cannot be decrypted are counted until they can", () => {
  const locked = segment({ 6: null, 7: null }, kitchen)
  expect([...locked.locked]).toEqual([6, 7])
  expect([...segment({ 6: "Readable" }, locked).locked]).toEqual([7])
})

test("a segment holds 1,024 places", () => {
  expect([1, 1_023, 1_024].map(segmentNumber)).toEqual([0, 0, 1])
})
