import { expect, test } from "vitest"

import { lastEditable, messageActions } from "./message-actions"
import type { Message } from "../../api/types"
import { conversation, message } from "../fixtures"

const kitchen = conversation("kitchen")
const his = message(1, { user_id: "nils" })
const soon = new Date(new Date(his.inserted_at).getTime() + 60_000)
const aDayLater = new Date(new Date(his.inserted_at).getTime() + 24 * 60 * 60 * 1000)

test("own messages can be edited for a day and deleted at any time", () => {
  expect(messageActions(his, kitchen, "nils", soon)).toMatchObject({
    edit: true,
    remove: true,
    reply: true,
    react: true,
  })
  expect(messageActions(his, kitchen, "nils", aDayLater)).toMatchObject({ edit: false, remove: true })
})

test("messages of others can only be replied to", () => {
  expect(messageActions(his, kitchen, "maja", soon)).toMatchObject({
    edit: false,
    remove: false,
    reply: true,
    react: true,
  })
})

test("a conversation that requires encryption has no reactions yet", () => {
  const encrypted = conversation("kitchen", { encryption_policy: "required" })
  expect(messageActions(his, encrypted, "maja", soon)).toMatchObject({ react: false, reply: true })
})

test("an admin can delete messages of others in groups only", () => {
  const admins = { members: [{ user_id: "maja", role: "admin" as const }] }
  expect(messageActions(his, conversation("kitchen", admins), "maja", soon)).toMatchObject({
    edit: false,
    remove: true,
  })
  const family = conversation("home", { ...admins, type: "family" })
  expect(messageActions(his, family, "maja", soon)).toMatchObject({ remove: false })
})

test("a deleted message has no actions", () => {
  const gone = message(1, { user_id: "nils", deleted_at: his.inserted_at, edited_at: his.inserted_at })
  expect(Object.values(messageActions(gone, kitchen, "nils", soon))).not.toContain(true)
})

test("only own messages have a delivery status, and notes to self have none", () => {
  expect(messageActions(his, kitchen, "nils", soon).info).toBe(true)
  expect(messageActions(his, kitchen, "maja", soon).info).toBe(false)
  expect(messageActions(his, conversation("notes", { type: "self" }), "nils", soon).info).toBe(false)
})

test("admins pin in groups and families, and both members in direct chats", () => {
  const may = (change: Parameters<typeof conversation>[1]) =>
    messageActions(his, conversation("kitchen", change), "maja", soon).pin
  const admins = { members: [{ user_id: "maja", role: "admin" as const }] }
  for (const type of ["group", "family"] as const) {
    expect(may({ type })).toBe(false)
    expect(may({ type, ...admins })).toBe(true)
  }
  expect(may({ type: "direct", contact: "open" })).toBe(true)
  expect(may({ type: "direct", contact: "ended" })).toBe(false)
  expect(may({ type: "self" })).toBe(true)
})

test("every member stars messages and deletes them for themselves, also encrypted ones", () => {
  const encrypted = conversation("kitchen", { encryption_policy: "required" })
  expect(messageActions(his, encrypted, "maja", soon)).toMatchObject({ mark: true })
})

test("a message is forwarded if it can be read, and a forwarded one keeps its words", () => {
  const text = { kind: "text", text: "At noon." } as const
  expect(messageActions(his, kitchen, "nils", soon, text)).toMatchObject({ forward: true, edit: true })
  const forwarded = { ...text, forwarded: true } as const
  expect(messageActions(his, kitchen, "nils", soon, forwarded)).toMatchObject({ forward: true, edit: false })
  expect(messageActions(his, kitchen, "nils", soon, { kind: "locked" })).toMatchObject({ forward: false })
})

test("the last own message can be edited, and none before it", () => {
  const opened = () => ({ kind: "text", text: "Milk" }) as const
  const last = (...messages: Message[]) => lastEditable(messages, kitchen, "nils", soon, opened)?.seq
  const byMaja = message(2, { user_id: "maja", inserted_at: his.inserted_at })
  const gone = message(2, { user_id: "nils", inserted_at: his.inserted_at, deleted_at: his.inserted_at })
  const poll = message(2, { user_id: "nils", inserted_at: his.inserted_at, message_type: "poll" })
  expect([last(his, byMaja), last(his, gone), last(his, poll), last(byMaja)]).toEqual([1, 1, undefined, undefined])
})

test("an edited message has an edit history", () => {
  expect(messageActions(his, kitchen, "maja", soon).history).toBe(false)
  expect(messageActions({ ...his, edited_at: his.inserted_at }, kitchen, "maja", soon).history).toBe(true)
})

test.each(["text", "image", "file", "voice"])(
  "the caption of an attachment, here %s, can be edited",
  (message_type) => {
    expect(messageActions({ ...his, message_type }, kitchen, "nils", soon).edit).toBe(true)
  },
)

test("a message of a type unknown to this client cannot be edited as text", () => {
  expect(messageActions({ ...his, message_type: "poll" }, kitchen, "nils", soon).edit).toBe(false)
})
