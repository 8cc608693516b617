import { expect, test } from "vitest"

import { outgoing } from "./fixtures"
import {
  withMessage,
  sendable,
  nextToSend,
  isTransient,
  retryDelay,
  withRefusal,
  withoutMessage,
  withRetry,
  withRetryUnprocessed,
  waitingIn,
} from "./outbox"

const two = withMessage(withMessage([], outgoing("first")), outgoing("second"))

test("what was written is due in the order in which it was written, in its own conversation", () => {
  const outbox = withMessage(two, outgoing("elsewhere", "garden"))
  expect(sendable(outbox, "kitchen").map((each) => each.client_id)).toEqual(["first", "second"])
})

test("words pass a message that has been bringing its files for a while, one after the other; nothing else does", () => {
  const film = { key: "k", kind: "file", name: "film", size: 9, encrypted: false, keep_metadata: false } as const
  const files = (id: string) => ({ ...outgoing(id), enclosures: [film] })
  const outbox = [files("film"), files("photo"), outgoing("first"), outgoing("second")]
  const after = (slow: boolean, ...underway: string[]) =>
    nextToSend(outbox, "kitchen", new Set(underway), slow)?.client_id

  expect(after(false)).toBe("film")
  expect(after(false, "film")).toBeUndefined()
  expect(after(true, "film")).toBe("first")
  expect(after(true, "film", "first")).toBeUndefined()
  expect(after(true, "first")).toBeUndefined()
})

test("what is on the server is not due any more, and saying so again changes nothing", () => {
  const outbox = withoutMessage(withoutMessage(two, "first"), "first")
  expect(sendable(outbox, "kitchen").map((each) => each.client_id)).toEqual(["second"])
  expect(withoutMessage(outbox, null)).toEqual(outbox)
})

test("what was refused stays, is not sent by itself, and keeps its client_id when tried again", () => {
  const refused = withRefusal(two, "first", "message_too_large")
  expect(sendable(refused, "kitchen").map((each) => each.client_id)).toEqual(["second"])
  expect(waitingIn(refused, "kitchen")).toHaveLength(2)
  expect(withRetry(refused, "first")).toEqual(two)
})

test("only refusals that pass by themselves are waited out", () => {
  expect(["rate_limited", "unavailable", "timeout"].every((reason) => isTransient({ reason }))).toBe(true)
  expect(["conflict", "not_found", "message_too_large"].some((reason) => isTransient({ reason }))).toBe(false)
})

test("the server says how long to wait, else each wait is longer, up to a minute", () => {
  expect(retryDelay({ reason: "rate_limited", retry_in_ms: 700 }, 3)).toBe(700)
  expect([1, 2, 3, 20].map((attempt) => retryDelay({ reason: "unavailable" }, attempt))).toEqual([
    2000, 4000, 8000, 60000,
  ])
})

test("a photo that cannot be cleaned is sent as it is, as another upload, if its person wants that", () => {
  const known = { name: "scan.tiff", size: 1, encrypted: false, keep_metadata: false } as const
  const [photo, note] = [
    { ...known, key: "a", kind: "image" },
    { ...known, key: "b", kind: "voice" },
  ] as const
  const enclosures = [photo, note].map((each) => ({ ...each, upload_id: "u" }))
  const refused = withRefusal([{ ...outgoing("one"), enclosures }, outgoing("two")], "one", "picture_unreadable")
  expect(withRetryUnprocessed(refused, "one")).toEqual([
    { ...outgoing("one"), enclosures: [{ ...photo, keep_metadata: true }, note] },
    outgoing("two"),
  ])
})
