import { expect, test } from "vitest"

import { toJson, wellFormed } from "./json"

test("half a surrogate pair becomes U+FFFD, and U+0000 is removed", () => {
  expect(wellFormed("a\uD83Dz")).toBe("a\uFFFDz")
  expect(wellFormed("\uDE00\uD83D")).toBe("\uFFFD\uFFFD")
  expect(wellFormed("a\0z")).toBe("az")
})

test("emoji and other text stay as they are", () => {
  const text = "Grüße 👩‍👩‍👧 e\u0301 \u0001 \uFFFD"
  expect(wellFormed(text)).toBe(text)
})

test("every text of a value is made well-formed", () => {
  const value = ["1", null, { name: "a\0z", emoji: ["\uD83D"], size: 1, off: undefined }]
  expect(toJson(value)).toBe('["1",null,{"name":"az","emoji":["\uFFFD"],"size":1}]')
})
