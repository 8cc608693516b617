import { expect, test } from "vitest"

import { notificationFor, readIn, DEFAULT_TEXTS } from "./notification"

const message = { kind: "message", conversation_id: "kitchen", conversation_type: "group", content: "none" }
const shown = (payload: object) => notificationFor(`${JSON.stringify(payload)}     `, DEFAULT_TEXTS)

test("a notification without content names no one", () => {
  expect(shown(message)).toEqual({
    title: "Famichat",
    body: "New message",
    tag: "kitchen",
    conversationId: "kitchen",
  })
})

test("with the sender, it says who wrote where, and not what", () => {
  const payload = { ...message, content: "sender", sender: "inga", conversation_name: "Holiday" }
  expect(shown(payload)).toMatchObject({ title: "inga · Holiday", body: "New message" })
  expect(shown({ ...payload, conversation_name: null })).toMatchObject({ title: "inga" })
})

test("a notification with full content shows the text", () => {
  const payload = { ...message, content: "full", sender: "inga", conversation_name: null, body: "Buns are ready" }
  expect(shown(payload)).toMatchObject({ title: "inga", body: "Buns are ready" })
})

test("it knows which message it is about, and which conversations were read meanwhile", () => {
  expect(shown({ ...message, seq: 7 })).toMatchObject({ seq: 7 })
  expect(readIn(JSON.stringify({ ...message, read: ["attic"] }))).toEqual(["attic"])
  for (const payload of ["", JSON.stringify(message), JSON.stringify({ ...message, read: "attic" })]) {
    expect(readIn(payload)).toEqual([])
  }
})

test("a test says that it is one, and leads nowhere", () => {
  expect(shown({ kind: "test" })).toEqual({ title: "Famichat", body: DEFAULT_TEXTS.test, tag: "test" })
})

test("a password reset asks the user to open the app, and names no one", () => {
  const reset = { title: "Famichat", body: DEFAULT_TEXTS.reset, tag: "password_reset" }
  expect(shown({ kind: "password_reset" })).toEqual(reset)
})

test("an unknown payload is shown as a new message", () => {
  for (const payload of ["", "null", "[]", "{", "7", '{"kind": "dance"}']) {
    expect(notificationFor(payload, DEFAULT_TEXTS)).toEqual({ title: "Famichat", body: "New message", tag: "news" })
  }
})

test("combining marks cannot cover the text around the notification", () => {
  const marked = `Z${"\u0300".repeat(120)}`
  const { title, body } = shown({ ...message, conversation_name: marked, body: marked })
  expect([title.length, body.length]).toEqual([9, 9])
})
