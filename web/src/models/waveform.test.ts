import { expect, test } from "vitest"

import { BARS, barsOf, peak, formatDuration, playedShare, waveform } from "./waveform"

test("a moment is as loud as its samples reach, to either side", () => {
  expect(peak(new Float32Array([0.1, -0.5, 0.25]))).toBe(0.5)
  expect(peak(new Float32Array([0, 1.5]))).toBe(1)
  expect(peak(new Float32Array())).toBe(0)
})

test("each bar is as high as the loudest of its moments, and the loudest bar is full", () => {
  expect(waveform([0.1, 0.2, 0.5, 0.1, 0.25, 0], 3)).toEqual([40, 100, 50])
})

test("a short note fills all bars, and a long one loses no shout", () => {
  expect(waveform([0.5, 1], 4)).toEqual([50, 50, 100, 100])
  const long = Array.from({ length: 9_000 }, (_, at) => (at === 4_321 ? 0.9 : 0.3))
  const shape = waveform(long)
  expect(shape).toHaveLength(BARS)
  expect(shape.filter((bar) => bar === 100)).toHaveLength(1)
  expect(shape.filter((bar) => bar === 33)).toHaveLength(BARS - 1)
})

test("silence is drawn as silence", () => {
  expect(Math.max(...waveform([0.001, 0.002, 0.001]))).toBeLessThan(5)
  expect(waveform([])).toEqual(Array(BARS).fill(0))
})

test("a note without a shape is drawn as a line", () => {
  expect(barsOf(null)).toEqual(Array(BARS).fill(0))
  expect(barsOf([])).toHaveLength(BARS)
  expect(barsOf([3, 5])).toEqual([3, 5])
})

test.each([
  [0, "0:00"],
  [-5, "0:00"],
  [7_499, "0:07"],
  [7_500, "0:08"],
  [67_000, "1:07"],
  [900_000, "15:00"],
  [3_600_000, "60:00"],
])("%i ms are shown as %s", (ms, words) => {
  expect(formatDuration(ms)).toBe(words)
})

test("one is never before the beginning or behind the end, also of a note that says it has no length", () => {
  expect([playedShare(500, 2000), playedShare(-1, 2000), playedShare(9000, 2000), playedShare(5, 0)]).toEqual([
    0.25, 0, 1, 0,
  ])
})
