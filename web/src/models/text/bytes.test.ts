import { expect, test } from "vitest"

import { sameBytes, unbase64url } from "./bytes"

test("base64url is read, with and without what other alphabets write differently", () => {
  expect([...unbase64url("-_8A")]).toEqual([251, 255, 0])
  expect([...unbase64url("Zg")]).toEqual([102])
})

test("bytes are the same if all of them are", () => {
  const bytes = unbase64url("-_8A")
  expect(sameBytes(bytes, unbase64url("-_8A"))).toBe(true)
  expect(sameBytes(bytes, unbase64url("-_8"))).toBe(false)
  expect(sameBytes(bytes, unbase64url("-_8B"))).toBe(false)
})
