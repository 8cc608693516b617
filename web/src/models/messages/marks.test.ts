import { expect, test } from "vitest"

import { message } from "../fixtures"
import { NO_MARKS, isMarked, withMark } from "./marks"

test("a mark is set and removed, and the others stay", () => {
  for (const mark of ["pin", "star", "hidden"] as const) {
    const marked = withMark(NO_MARKS, message(3), mark, true, "maja")
    expect(isMarked(marked, message(3), mark)).toBe(true)
    expect(isMarked(marked, message(4), mark)).toBe(false)
    const both = withMark(marked, message(4), mark, true, "maja")
    expect(withMark(both, message(4), mark, false, "maja")).toEqual(marked)
  }
})

test("a mark that is set already changes nothing", () => {
  const starred = withMark(NO_MARKS, message(3), "star", true, "maja")
  expect(withMark(starred, message(3), "star", true, "maja")).toBe(starred)
  expect(withMark(NO_MARKS, message(3), "pin", false, "maja")).toBe(NO_MARKS)
})

test("the newest pin and the newest starred message are the first", () => {
  const pins = [3, 1, 2].reduce((marks, seq) => withMark(marks, message(seq), "pin", true, "maja"), NO_MARKS)
  expect(pins.pinned.map(({ seq }) => seq)).toEqual([2, 1, 3])
  const stars = [3, 1, 2].reduce((marks, seq) => withMark(marks, message(seq), "star", true, "maja"), NO_MARKS)
  expect(stars.starred).toEqual([3, 2, 1])
})
