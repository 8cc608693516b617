import { expect, test } from "vitest"

import { asForwarded, readForwarded } from "./forwarded"

test("a forwarded text says what it said, and that it was forwarded", () => {
  for (const text of ["The ferry leaves at noon.", "two\nlines", "", "  indented"]) {
    expect(readForwarded(asForwarded(text))).toEqual({ text, forwarded: true })
  }
})

test("other clients show an arrow and the text", () => {
  expect(asForwarded("At noon.")).toBe("↪\uFE0E At noon.")
  expect(asForwarded("")).toBe("↪\uFE0E")
})

test("a typed arrow is not the mark", () => {
  expect(readForwarded("↪ see above")).toEqual({ text: "↪ see above" })
  expect(readForwarded("At noon. ↪\uFE0E ")).toEqual({ text: "At noon. ↪\uFE0E " })
})
