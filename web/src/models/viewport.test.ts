import { expect, test } from "vitest"

import { messages } from "./fixtures"
import {
  around,
  AT_END,
  atBottom,
  atTop,
  visibleMessages,
  earlier,
  followsEnd,
  anchored,
  later,
  VIEWPORT_SIZE,
  type Viewport,
} from "./viewport"
import { emptyTimeline, receive, type Timeline } from "./messages/timeline"

const long = receive(emptyTimeline("e1", 100), messages(101, 100_100))
const places = (pane: Viewport, timeline: Timeline) => visibleMessages(pane, timeline).map((message) => message.seq)

test("the end is drawn, and no more than fits, however long the conversation is", () => {
  expect(places(AT_END, long)).toHaveLength(VIEWPORT_SIZE)
  expect(places(AT_END, long).at(-1)).toBe(100_100)
})

test("new messages are drawn at the end", () => {
  expect(places(AT_END, receive(long, messages(100_101, 100_101))).at(-1)).toBe(100_101)
})

test("step by step one comes to the beginning, over every message and never over a gap", () => {
  let pane = AT_END
  const seen = new Set<number>()
  for (let step = 0; ; step += 1) {
    const now = places(pane, long)
    expect(now).toHaveLength(VIEWPORT_SIZE)
    now.forEach((seq) => seen.add(seq))
    if (atTop(pane, long)) break
    expect(step).toBeLessThan(5_000)
    pane = earlier(pane, long)
  }
  expect(seen.size).toBe(100_000)
})

test("from there one comes back to the end", () => {
  let pane = around(101, long)
  while (!followsEnd(pane)) pane = later(pane, long)
  expect(places(pane, long).at(-1)).toBe(100_100)
})

test("a message is drawn with its surroundings", () => {
  const now = places(around(5_000, long), long)
  expect([now[0], now.at(-1)]).toEqual([5_000 - VIEWPORT_SIZE / 2 + 1, 5_000 + VIEWPORT_SIZE / 2])
})

test("a short conversation is drawn whole", () => {
  const short = receive(emptyTimeline("e1", 0), messages(1, 5))
  for (const pane of [AT_END, earlier(AT_END, short), later(AT_END, short), around(2, short)]) {
    expect(places(pane, short)).toEqual([1, 2, 3, 4, 5])
    expect(atTop(pane, short) && followsEnd(pane)).toBe(true)
  }
})

test("messages at the end of the history stay in place when more arrive", () => {
  const past = receive(emptyTimeline("e1", 100), messages(101, 300))
  const pane = anchored(AT_END, past)
  expect(atBottom(pane, past)).toBe(true)
  const grown = receive(past, messages(301, 400))
  expect(visibleMessages(pane, grown).at(-1)?.seq).toBe(300)
  expect(atBottom(pane, grown)).toBe(false)
})
