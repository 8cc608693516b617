import { expect, test } from "vitest"

import { current, FORGET_AFTER_MS, hear } from "./typing"

test("somebody types until saying otherwise, or saying nothing for a while", () => {
  const both = hear(hear(new Map(), "inga", true, 0), "nils", true, 5_000)
  expect(current(both, 5_000)).toEqual(["inga", "nils"])
  expect(current(both, FORGET_AFTER_MS)).toEqual(["nils"])
  expect(current(hear(both, "nils", false, 6_000), 6_000)).toEqual(["inga"])
})
