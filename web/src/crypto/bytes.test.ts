import { expect, test } from "vitest"

import { fromBase64url, toBase64url } from "./bytes"

test("all bytes survive base64url", () => {
  for (let size = 0; size < 4; size++) {
    const bytes = Uint8Array.from({ length: 256 + size }, (_, index) => 255 - index)
    expect(fromBase64url(toBase64url(bytes))).toEqual(bytes)
  }
  expect(toBase64url(Uint8Array.of(0xfb, 0xff))).toBe("-_8")
})

test.each(["a", "-_9", "+/8", "-_8=", " -_8", "é"])("%j is refused, for each value has one encoding", (text) => {
  expect(() => fromBase64url(text)).toThrow()
})
