import { expect, test } from "vitest"

import { conversation, message } from "./examples"
import { drop, put, said, setUnread, totalUnread, type Shelf } from "./shelf"

const ids = (shelf: Shelf) => shelf.map((each) => each.id)
const two = put(put([], conversation("kitchen")), conversation("garden", { created_at: "2026-11-02T00:00:00Z" }))

test("the conversation in which something happened last comes first", () => {
  expect(ids(two)).toEqual(["garden", "kitchen"])
  expect(ids(said(two, message(1, { conversation_id: "kitchen" })))).toEqual(["kitchen", "garden"])
})

test("an older message does not take the place of a newer one", () => {
  const shelf = said(said(two, message(5)), message(4))
  expect(shelf.find((each) => each.id === "kitchen")?.last_message?.seq).toBe(5)
})

test("a newer state of a conversation keeps the message that it does not know yet", () => {
  const shelf = put(said(two, message(5)), conversation("kitchen", { name: "Big kitchen", last_seq: 4 }))
  expect(shelf[0]).toMatchObject({ name: "Big kitchen", last_seq: 5, last_message: { seq: 5 } })
})

test("a hidden, archived or left conversation is not on it", () => {
  expect(ids(put(two, conversation("kitchen", { hidden: true })))).toEqual(["garden"])
  expect(ids(put(two, conversation("kitchen", { archived: true })))).toEqual(["garden"])
  expect(ids(drop(two, "garden"))).toEqual(["kitchen"])
})

test("unread messages are counted per conversation, and together", () => {
  const shelf = setUnread(setUnread(two, "kitchen", 2), "garden", 3)
  expect(totalUnread(shelf)).toBe(5)
  expect(totalUnread(setUnread(shelf, "garden", 0))).toBe(2)
})
