import { expect, test } from "vitest"

import { conversation, message } from "./fixtures"
import {
  isSameInfo,
  withChangedMessage,
  listed,
  without,
  upsert,
  archivedIn,
  hiddenOnly,
  withNewMessage,
  withUnread,
  totalUnread,
  type ConversationList,
} from "./conversation-list"

const ids = (shelf: ConversationList) => shelf.map((each) => each.id)
const two = upsert(upsert([], conversation("kitchen")), conversation("garden", { created_at: "2026-11-02T00:00:00Z" }))

test("the conversation in which something happened last comes first", () => {
  expect(ids(two)).toEqual(["garden", "kitchen"])
  expect(ids(withNewMessage(two, message(1, { conversation_id: "kitchen" })))).toEqual(["kitchen", "garden"])
})

test("an older message does not take the place of a newer one", () => {
  const shelf = withNewMessage(withNewMessage(two, message(5)), message(4))
  expect(shelf.find((each) => each.id === "kitchen")?.last_message?.seq).toBe(5)
})

test("a newer state of a conversation keeps the message that it does not know yet", () => {
  const shelf = upsert(withNewMessage(two, message(5)), conversation("kitchen", { name: "Big kitchen", last_seq: 4 }))
  expect(shelf[0]).toMatchObject({ name: "Big kitchen", last_seq: 5, last_message: { seq: 5 } })
})

test("a hidden or archived conversation is not listed; one that was left is removed", () => {
  const shelf = upsert(
    upsert(two, conversation("kitchen", { hidden: true })),
    conversation("attic", { archived: true }),
  )
  expect(ids(listed(shelf))).toEqual(["garden"])
  expect([...ids(hiddenOnly(shelf)), ...ids(archivedIn(shelf))].sort()).toEqual(["attic", "kitchen"])
  expect(ids(without(two, "garden"))).toEqual(["kitchen"])
})

test("a message brings a hidden conversation back, and leaves an archived one where it is", () => {
  const hidden = upsert(two, conversation("kitchen", { hidden: true, archived: false }))
  expect(ids(listed(withNewMessage(hidden, message(1))))).toEqual(["kitchen", "garden"])
  const archived = upsert(two, conversation("kitchen", { archived: true }))
  expect(ids(listed(withNewMessage(archived, message(1))))).toEqual(["garden"])
})

test("unread messages are counted per conversation, and together without those that are muted", () => {
  const now = new Date("2026-11-23T12:00:00Z")
  const shelf = withUnread(withUnread(two, "kitchen", 2), "garden", 3)
  expect(totalUnread(shelf, now)).toBe(5)
  expect(totalUnread(withUnread(shelf, "garden", 0), now)).toBe(2)
  const muted = (until: string) => upsert(shelf, conversation("kitchen", { unread: 2, muted_until: until }))
  expect(totalUnread(muted("2026-11-23T13:00:00Z"), now)).toBe(3)
  expect(totalUnread(muted("2026-11-23T11:00:00Z"), now)).toBe(5)
})

test("a change of the newest message updates the list without moving the conversation", () => {
  const newest = message(2, { conversation_id: "kitchen" })
  const shelf = [conversation("garden"), conversation("kitchen", { last_seq: 2, last_message: newest })]
  const after = withChangedMessage(shelf, { ...newest, body: "better", change: 3 })
  expect(after.map((each) => [each.id, each.last_message?.body])).toEqual([
    ["garden", undefined],
    ["kitchen", "better"],
  ])
  expect(withChangedMessage(after, { ...newest, body: "older", change: 2 })).toEqual(after)
  expect(withChangedMessage(after, message(1, { conversation_id: "kitchen", change: 9 }))).toEqual(after)
})

test("a new message and a new unread count are not news about the conversation itself, but a new name is", () => {
  const before = conversation("kitchen")
  const [after] = withUnread(withNewMessage([before], message(5)), "kitchen", 3)
  expect(after && isSameInfo(before, after)).toBe(true)
  expect(isSameInfo(before, { ...before, name: "Big kitchen" })).toBe(false)
})

test("pinned conversations come first, in the order of their activity", () => {
  const pinned = upsert(two, conversation("kitchen", { pinned: true }))
  expect(ids(pinned)).toEqual(["kitchen", "garden"])
  expect(ids(withNewMessage(pinned, message(1, { conversation_id: "garden" })))).toEqual(["kitchen", "garden"])
  const both = upsert(pinned, conversation("garden", { pinned: true, created_at: "2026-11-02T00:00:00Z" }))
  expect(ids(both)).toEqual(["garden", "kitchen"])
})

test("a conversation that is marked as unread counts as one, unless it has unread messages", () => {
  const now = new Date("2026-11-23T12:00:00Z")
  const marked = upsert([], conversation("kitchen", { marked_unread: true }))
  expect(totalUnread(marked, now)).toBe(1)
  expect(totalUnread(withUnread(marked, "kitchen", 3), now)).toBe(3)
})
