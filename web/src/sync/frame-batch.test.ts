import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { FrameBatch } from "./frame-batch"

let passed: (readonly number[])[] = []
let frames: (() => void)[] = []
let batch: FrameBatch<number>

beforeEach(() => {
  vi.useFakeTimers()
  passed = []
  frames = []
  vi.stubGlobal("requestAnimationFrame", (run: () => void) => frames.push(run))
  vi.stubGlobal("cancelAnimationFrame", () => undefined)
  batch = new FrameBatch((items) => passed.push(items))
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const nextFrame = () => {
  for (const run of frames.splice(0)) run()
}

test("the first item is passed on immediately, and those that follow in its frame together", () => {
  for (const item of [1, 2, 3]) batch.add(item)
  expect(passed).toEqual([[1]])
  nextFrame()
  expect(passed).toEqual([[1], [2, 3]])
  batch.add(4)
  nextFrame()
  expect(passed).toEqual([[1], [2, 3], [4]])
  nextFrame()
  batch.add(5)
  expect(passed.at(-1)).toEqual([5])
})

test("a hidden page, which draws no frames, gets the items by a timer", () => {
  batch.add(1)
  batch.add(2)
  vi.advanceTimersByTime(100)
  expect(passed).toEqual([[1], [2]])
})

test("items are passed on before an event that relies on them, and only once", () => {
  batch.add(1)
  batch.add(2)
  batch.flush()
  expect(passed).toEqual([[1], [2]])
  nextFrame()
  expect(passed).toHaveLength(2)
})
