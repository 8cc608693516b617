import { expect, test } from "vitest"

import { entries } from "./timeline-items"
import { message } from "./fixtures"
import type { Draft } from "./outbox"

const draft: Draft = {
  client_id: "mine",
  conversation_id: "kitchen",
  text: "hi",
  sealed: { body: "hi" },
  written_at: "2026-11-23T12:00:09Z",
}
const said = [message(1)]

test("what waits stands at the end", () => {
  const shown = entries(said, [draft], "maja")
  expect(shown.map((each) => [each.kind, each.id])).toEqual([
    ["stored", "m1"],
    ["draft", "mine"],
  ])
})

test("once it is stored it is shown once, under the same identity", () => {
  const stored = [...said, message(2, { user_id: "maja", client_id: "mine" })]
  expect(entries(stored, [draft], "maja").map((each) => [each.kind, each.id])).toEqual([
    ["stored", "m1"],
    ["stored", "mine"],
  ])
})

test("somebody else's client_id is not mine", () => {
  const stored = [...said, message(2, { user_id: "inga", client_id: "mine" })]
  expect(entries(stored, [draft], "maja")).toHaveLength(3)
})

test("a message is the same entry each time it is drawn, until it changes", () => {
  const [before] = entries(said, [], "maja")
  expect(entries([...said, message(2)], [], "maja")[0]).toBe(before)
  expect(entries([{ ...message(1), change: 1 }], [], "maja")[0]).not.toBe(before)
})
