import { expect, test, vi } from "vitest"

import { once } from "./once"

test("something is made once for each argument", () => {
  const make = vi.fn((word: string) => ({ word }))
  const made = once(make)
  expect(made("a")).toBe(made("a"))
  expect(made("b").word).toBe("b")
  expect(make).toHaveBeenCalledTimes(2)
})
