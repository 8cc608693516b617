import { expect, test } from "vitest"
import { hasVisibleText, isSameEmoji } from "./visible-text"

test.each(["", " \n\u3000", "\u200B", "\u2060\u200D\uFEFF", "\u00AD\uFE0F\u202E", "\u3164\u2800"])(
  "%j has no visible character",
  (text) => {
    expect(hasVisibleText(text)).toBe(false)
  },
)

test.each(["\u200B.", "\u2764\uFE0F", "\u{1F468}\u200D\u{1F469}", "\u{1FAE9}", "1\uFE0F\u20E3"])(
  "%j is visible",
  (text) => {
    expect(hasVisibleText(text)).toBe(true)
  },
)

test("a presentation selector does not distinguish emoji", () => {
  expect(isSameEmoji("\u2764", "\u2764\uFE0F")).toBe(true)
  expect(isSameEmoji("\u2764", "\u{1F44D}")).toBe(false)
  expect(isSameEmoji(undefined, "\u2764")).toBe(false)
})
