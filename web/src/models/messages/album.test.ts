import { expect, test } from "vitest"

import { albumRows } from "./album"

const WIDTH = 330
const LANDSCAPE = 4 / 3
const PORTRAIT = 3 / 4

const of = (count: number, ratio: number) => Array<number>(count).fill(ratio)
const counts = (ratios: readonly number[]) => albumRows(ratios, WIDTH).map(({ widths }) => widths.length)
const height = (ratios: readonly number[]) => {
  const rows = albumRows(ratios, WIDTH)
  return Math.round(rows.reduce((sum, row) => sum + row.height, 2 * (rows.length - 1)))
}

test.each([
  [2, [2], [2]],
  [3, [1, 2], [3]],
  [4, [2, 2], [2, 2]],
  [5, [2, 3], [2, 3]],
  [6, [2, 2, 2], [3, 3]],
  [7, [2, 2, 3], [3, 4]],
  [8, [2, 3, 3], [4, 4]],
  [9, [3, 3, 3], [3, 3, 3]],
  [10, [2, 2, 3, 3], [3, 3, 4]],
])("%i photos are in rows that suit their shape", (count, landscape, portrait) => {
  expect(counts(of(count, LANDSCAPE))).toEqual(landscape)
  expect(counts(of(count, PORTRAIT))).toEqual(portrait)
})

test.each([
  [2, 123, 218],
  [3, 343, 145],
  [4, 248, 413],
  [5, 208, 365],
  [6, 373, 292],
  [7, 333, 255],
  [8, 292, 218],
  [9, 252, 413],
  [10, 413, 402],
])("%i photos take at most one and a quarter of their width", (count, landscape, portrait) => {
  expect(height(of(count, LANDSCAPE))).toBe(landscape)
  expect(height(of(count, PORTRAIT))).toBe(portrait)
})

test("two wide photos are below each other", () => {
  expect(counts([1.8, 1.7])).toEqual([1, 1])
  expect(counts([1.8, 1.3])).toEqual([2])
})

test("photos of a row have the same height and fill its width", () => {
  const [row] = albumRows([1, 1.5], WIDTH)
  expect(row!.widths[1]! / row!.widths[0]!).toBeCloseTo(1.5)
  expect(row!.widths[0]! + row!.widths[1]!).toBeCloseTo(WIDTH - 2)
})

test("no photo of a row is too narrow to press", () => {
  const rows = albumRows([...of(9, 1), 100], WIDTH)
  for (const { widths } of rows) expect(Math.min(...widths)).toBeGreaterThanOrEqual(64)
})

test("a panorama or a strip is limited to a shape that leaves room for the others", () => {
  const [row] = albumRows([0.01, 0.9], WIDTH)
  expect(row!.widths[0]).toBeGreaterThan(100)
})
