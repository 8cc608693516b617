import { expect, test } from "vitest"

import { withRecent } from "./recent"

test("the latest five queries are kept, each once", () => {
  const recent = ["a", "b", "c", "d", "e"]
  expect(withRecent(recent, "f")).toEqual(["f", "a", "b", "c", "d"])
  expect(withRecent(recent, "C")).toEqual(["C", "a", "b", "d", "e"])
  expect(withRecent([], "さくら")).toEqual(["さくら"])
})
