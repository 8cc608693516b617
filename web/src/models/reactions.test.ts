import { expect, test } from "vitest"

import { groups, signOf } from "./reactions"

const signs = [
  { user_id: "maja", sign: "❤️" },
  { user_id: "emil", sign: "👍" },
  { user_id: "inga", sign: "❤️" },
  { user_id: "nils", sign: undefined },
]

test("each sign is there once, with its people, the first one first", () => {
  expect(groups(signs)).toEqual([
    { sign: "❤️", people: ["maja", "inga"] },
    { sign: "👍", people: ["emil"] },
    { sign: undefined, people: ["nils"] },
  ])
  expect(groups([])).toEqual([])
})

test("one knows what one reacted with oneself", () => {
  expect(signOf(signs, "inga")).toBe("❤️")
  expect(signOf(signs, "nils")).toBeUndefined()
  expect(signOf(signs, "olle")).toBeUndefined()
})
