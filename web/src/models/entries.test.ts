import { expect, test } from "vitest"

import { entries } from "./entries"
import { message } from "./examples"
import type { Draft } from "./outbox"
import { begin, receive } from "./timeline"

const draft: Draft = {
  client_id: "mine",
  conversation_id: "kitchen",
  text: "hi",
  sealed: { body: "hi" },
  written_at: "2026-11-23T12:00:09Z",
}
const timeline = receive(begin("e1", 0), [message(1)])

test("what waits stands at the end, and only in its own conversation", () => {
  const elsewhere = { ...draft, client_id: "other", conversation_id: "garden" }
  const shown = entries(timeline, [draft, elsewhere], "kitchen", "maja")
  expect(shown.map((each) => [each.kind, each.id])).toEqual([
    ["stored", "m1"],
    ["draft", "mine"],
  ])
})

test("once it is stored it is shown once, under the same identity", () => {
  const stored = receive(timeline, [message(2, { user_id: "maja", client_id: "mine" })])
  expect(entries(stored, [draft], "kitchen", "maja").map((each) => [each.kind, each.id])).toEqual([
    ["stored", "m1"],
    ["stored", "mine"],
  ])
})

test("somebody else's client_id is not mine", () => {
  const stored = receive(timeline, [message(2, { user_id: "inga", client_id: "mine" })])
  expect(entries(stored, [draft], "kitchen", "maja")).toHaveLength(3)
})
