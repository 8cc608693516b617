import { expect, test } from "vitest"

import { messageActions } from "./message-actions"
import { conversation, message } from "../fixtures"

const kitchen = conversation("kitchen")
const his = message(1, { user_id: "nils" })
const soon = new Date(new Date(his.inserted_at).getTime() + 60_000)
const aDayLater = new Date(new Date(his.inserted_at).getTime() + 24 * 60 * 60 * 1000)

test("what one said oneself can be edited for a day, and deleted for ever", () => {
  expect(messageActions(his, kitchen, "nils", soon)).toMatchObject({
    edit: true,
    remove: true,
    reply: true,
    react: true,
  })
  expect(messageActions(his, kitchen, "nils", aDayLater)).toMatchObject({ edit: false, remove: true })
})

test("what others said can be answered, and nothing else", () => {
  expect(messageActions(his, kitchen, "maja", soon)).toMatchObject({
    edit: false,
    remove: false,
    reply: true,
    react: true,
  })
})

test("an admin of a group can delete what others said, and of nothing else", () => {
  const admins = { members: [{ user_id: "maja", role: "admin" as const }] }
  expect(messageActions(his, conversation("kitchen", admins), "maja", soon)).toMatchObject({
    edit: false,
    remove: true,
  })
  const family = conversation("home", { ...admins, type: "family" })
  expect(messageActions(his, family, "maja", soon)).toMatchObject({ remove: false })
})

test("nothing can be done to what is deleted", () => {
  const gone = message(1, { user_id: "nils", deleted_at: his.inserted_at, edited_at: his.inserted_at })
  expect(Object.values(messageActions(gone, kitchen, "nils", soon))).toEqual([false, false, false, false, false])
})

test("what was edited has something that it said before", () => {
  expect(messageActions(his, kitchen, "maja", soon).history).toBe(false)
  expect(messageActions({ ...his, edited_at: his.inserted_at }, kitchen, "maja", soon).history).toBe(true)
})

test.each(["text", "image", "file", "voice"])(
  "what goes with a message, here %s, may get other words",
  (message_type) => {
    expect(messageActions({ ...his, message_type }, kitchen, "nils", soon).edit).toBe(true)
  },
)

test("what another client says in its own way is not edited as words", () => {
  expect(messageActions({ ...his, message_type: "poll" }, kitchen, "nils", soon).edit).toBe(false)
})
