import { expect, test } from "vitest"

import { draft } from "./fixtures"
import { add, due, next, passes, patience, refuse, remove, retry, retryAsItIs, waiting } from "./outbox"

const two = add(add([], draft("first")), draft("second"))

test("what was written is due in the order in which it was written, in its own conversation", () => {
  const outbox = add(two, draft("elsewhere", "garden"))
  expect(due(outbox, "kitchen").map((each) => each.client_id)).toEqual(["first", "second"])
})

test("words pass a message that has been bringing its files for a while, one after the other; nothing else does", () => {
  const film = { key: "k", kind: "file", name: "film", size: 9, encrypted: false, keep_metadata: false } as const
  const files = (id: string) => ({ ...draft(id), enclosures: [film] })
  const outbox = [files("film"), files("photo"), draft("first"), draft("second")]
  const after = (slow: boolean, ...underway: string[]) => next(outbox, "kitchen", new Set(underway), slow)?.client_id

  expect(after(false)).toBe("film")
  expect(after(false, "film")).toBeUndefined()
  expect(after(true, "film")).toBe("first")
  expect(after(true, "film", "first")).toBeUndefined()
  expect(after(true, "first")).toBeUndefined()
})

test("what is on the server is not due any more, and saying so again changes nothing", () => {
  const outbox = remove(remove(two, "first"), "first")
  expect(due(outbox, "kitchen").map((each) => each.client_id)).toEqual(["second"])
  expect(remove(outbox, null)).toEqual(outbox)
})

test("what was refused stays, is not sent by itself, and keeps its client_id when tried again", () => {
  const refused = refuse(two, "first", "message_too_large")
  expect(due(refused, "kitchen").map((each) => each.client_id)).toEqual(["second"])
  expect(waiting(refused, "kitchen")).toHaveLength(2)
  expect(retry(refused, "first")).toEqual(two)
})

test("only refusals that pass by themselves are waited out", () => {
  expect(["rate_limited", "unavailable", "timeout"].every((reason) => passes({ reason }))).toBe(true)
  expect(["conflict", "not_found", "message_too_large"].some((reason) => passes({ reason }))).toBe(false)
})

test("the server says how long to wait, else each wait is longer, up to a minute", () => {
  expect(patience({ reason: "rate_limited", retry_in_ms: 700 }, 3)).toBe(700)
  expect([1, 2, 3, 20].map((attempt) => patience({ reason: "unavailable" }, attempt))).toEqual([
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
  const refused = refuse([{ ...draft("one"), enclosures }, draft("two")], "one", "picture_unreadable")
  expect(retryAsItIs(refused, "one")).toEqual([
    { ...draft("one"), enclosures: [{ ...photo, keep_metadata: true }, note] },
    draft("two"),
  ])
})
