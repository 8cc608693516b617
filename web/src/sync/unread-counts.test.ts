import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { UnreadCounts } from "./unread-counts"

let applied: [string, number][] = []
let reading = "kitchen"
let counts: UnreadCounts

beforeEach(() => {
  vi.useFakeTimers()
  applied = []
  reading = "kitchen"
  counts = new UnreadCounts(
    (id) => id === reading,
    (id, unread) => applied.push([id, unread]),
  )
})

afterEach(() => {
  vi.useRealTimers()
})

test("a message in the conversation that is being read shows no count before it is read", () => {
  counts.receive("kitchen", 1)
  counts.receive("kitchen", 0)
  vi.advanceTimersByTime(10_000)
  expect(applied).toEqual([["kitchen", 0]])
})

test("a message that stays unread although its conversation is open is counted a second later", () => {
  counts.receive("kitchen", 1)
  expect(applied).toEqual([])
  vi.advanceTimersByTime(1_000)
  expect(applied).toEqual([["kitchen", 1]])
})

test("the counts of other conversations are shown immediately", () => {
  counts.receive("garden", 3)
  expect(applied).toEqual([["garden", 3]])
})

test("after a sign-out, no count is applied", () => {
  counts.receive("kitchen", 1)
  counts.stop()
  vi.advanceTimersByTime(10_000)
  expect(applied).toEqual([])
})
