import { expect, test } from "vitest"

import { currentTypists, TYPING_EXPIRES_MS, noteTyping } from "./typing"

test("a typing indicator ends with a stop event or after a timeout", () => {
  const both = noteTyping(noteTyping(new Map(), "inga", true, 0), "nils", true, 5_000)
  expect(currentTypists(both, 5_000)).toEqual(["inga", "nils"])
  expect(currentTypists(both, TYPING_EXPIRES_MS)).toEqual(["nils"])
  expect(currentTypists(noteTyping(both, "nils", false, 6_000), 6_000)).toEqual(["inga"])
})
