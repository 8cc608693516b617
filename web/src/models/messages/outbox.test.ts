import { expect, test } from "vitest"

import type { PendingAttachment } from "./attachments"
import { outgoing } from "../fixtures"
import {
  withMessage,
  sendable,
  nextToSend,
  isTransient,
  retryDelay,
  outgoingStatus,
  refusedChoices,
  withRefusal,
  withRefusedFiles,
  withoutRefusedFiles,
  withoutMessage,
  withRetry,
  withRetryUnprocessed,
  waitingIn,
  type Outbox,
} from "./outbox"

const two = withMessage(withMessage([], outgoing("first")), outgoing("second"))

test("drafts are due in the order of writing, per conversation", () => {
  const outbox = withMessage(two, outgoing("elsewhere", "garden"))
  expect(sendable(outbox, "kitchen").map((each) => each.client_id)).toEqual(["first", "second"])
})

test("only texts overtake a message with a long upload, in order", () => {
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

test("a stored draft is no longer due, and storing it twice changes nothing", () => {
  const outbox = withoutMessage(withoutMessage(two, "first"), "first")
  expect(sendable(outbox, "kitchen").map((each) => each.client_id)).toEqual(["second"])
  expect(withoutMessage(outbox, null)).toEqual(outbox)
})

test("a refused draft stays, is not sent automatically, and keeps its client_id when retried", () => {
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

const file = { size: 1, encrypted: false, keep_metadata: false, upload_id: "u" } as const
const photo = { ...file, key: "photo", kind: "image", name: "photo.jpg" } as const
const film = { ...file, key: "film", kind: "file", name: "film.mov" } as const

/** A message whose files were refused for these reasons, by their keys. */
function refused(
  reasons: Record<string, string>,
  enclosures: readonly PendingAttachment[] = [photo, film],
  text = "hi",
) {
  const message = { ...outgoing("one"), text, enclosures }
  return withRefusedFiles([message, outgoing("two")], "one", new Map(Object.entries(reasons)))
}
const choicesOf = ([message]: Outbox) => refusedChoices(message ?? expect.fail("no message"))

test("a refused file has its reason and starts again, and the others keep their uploads", () => {
  const { upload_id: _, ...fresh } = photo
  expect(refused({ photo: "picture_unreadable" })[0]).toMatchObject({
    refused: "picture_unreadable",
    enclosures: [{ ...fresh, refused: "picture_unreadable" }, film],
  })
})

test("a message is retried with the refused photos unchanged, or without the refused files", () => {
  const outbox = refused({ photo: "picture_unreadable" })
  const { upload_id: _, ...fresh } = photo
  expect(withRetryUnprocessed(outbox, "one")[0]?.enclosures).toEqual([{ ...fresh, keep_metadata: true }, film])
  expect(withoutRefusedFiles(outbox, "one")[0]?.enclosures).toEqual([film])
  expect(withoutRefusedFiles(outbox, "one")[0]?.refused).toBeUndefined()
  expect(withoutRefusedFiles(refused({ film: "file_gone" }, [film]), "one")[0]).toEqual({
    ...outgoing("one"),
    text: "hi",
  })
})

test("only choices that may succeed are offered", () => {
  expect(choicesOf(refused({ photo: "picture_unreadable" }))).toMatchObject({ retry: false, original: true })
  expect(choicesOf(refused({ photo: "picture_unreadable" })).without).toHaveLength(1)
  expect(choicesOf(refused({ photo: "quota_exceeded" }))).toMatchObject({ retry: true, original: false })
  expect(choicesOf(refused({ photo: "picture_unreadable", film: "quota_exceeded" }))).toMatchObject({
    retry: false,
    original: false,
  })
  const original = { ...photo, keep_metadata: true }
  expect(choicesOf(refused({ photo: "picture_unreadable" }, [original])).original).toBe(false)
  expect(choicesOf(refused({ film: "file_gone" }, [film], "")).without).toEqual([])
  expect(choicesOf(withRefusal(two, "first", "message_too_large"))).toEqual({
    retry: false,
    original: false,
    without: [],
  })
  expect(choicesOf(withRefusal(two, "first", "internal_error")).retry).toBe(true)
})

test("the status of a refused message names its refused files", () => {
  const [message] = refused({ film: "file_too_large" })
  expect(outgoingStatus(message ?? expect.fail("no message"))).toEqual({
    state: "refused",
    reason: "file_too_large",
    files: [{ name: "film.mov", reason: "file_too_large" }],
  })
})
