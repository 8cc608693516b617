import { expect, test } from "vitest"

import { groupReactions, emojiOf } from "./reactions"

const signs = [
  { user_id: "maja", emoji: "❤️" },
  { user_id: "emil", emoji: "👍" },
  { user_id: "inga", emoji: "❤️" },
  { user_id: "nils", emoji: undefined },
]

test("each emoji is there once, with its people, the first one first", () => {
  expect(groupReactions(signs)).toEqual([
    { emoji: "❤️", people: ["maja", "inga"] },
    { emoji: "👍", people: ["emil"] },
    { emoji: undefined, people: ["nils"] },
  ])
  expect(groupReactions([])).toEqual([])
})

test("the user's own reactions are marked", () => {
  expect(emojiOf(signs, "inga")).toBe("❤️")
  expect(emojiOf(signs, "nils")).toBeUndefined()
  expect(emojiOf(signs, "olle")).toBeUndefined()
})

test("the same emoji from another keyboard is in the same group", () => {
  const both = [
    { user_id: "maja", emoji: "\u2764" },
    { user_id: "emil", emoji: "\u2764\uFE0F" },
  ]
  expect(groupReactions(both)).toEqual([{ emoji: "\u2764", people: ["maja", "emil"] }])
})
