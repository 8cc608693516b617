import { expect, test } from "vitest"

import { excessCharacters } from "./message-length"

test("64 KiB of UTF-8 are permitted, and no more", () => {
  expect(excessCharacters("a".repeat(65_536))).toBe(0)
  expect(excessCharacters("a".repeat(65_537))).toBe(1)
  expect(excessCharacters("a".repeat(72_000))).toBe(72_000 - 65_536)
})

test("the limit counts bytes, and the excess counts characters", () => {
  expect(excessCharacters("日".repeat(21_845))).toBe(0)
  expect(excessCharacters("日".repeat(21_946))).toBe(101)
  expect(excessCharacters("👩".repeat(16_384))).toBe(0)
  expect(excessCharacters("👩".repeat(16_385))).toBeGreaterThan(0)
})

test("an encrypted text may be shorter, and is measured as JSON", () => {
  expect(excessCharacters("a".repeat(43_898), true)).toBe(0)
  expect(excessCharacters("a".repeat(43_899), true)).toBe(1)
  expect(excessCharacters("\n".repeat(30_000))).toBe(0)
  expect(excessCharacters("\n".repeat(30_000), true)).toBeGreaterThan(0)
})
