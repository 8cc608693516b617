import { expect, test } from "vitest"

import { timelineItems } from "./timeline-items"
import { message } from "../fixtures"
import type { OutgoingMessage } from "./outbox"

const draft: OutgoingMessage = {
  client_id: "mine",
  conversation_id: "kitchen",
  text: "hi",
  sealed: { body: "hi" },
  written_at: "2026-11-23T12:00:09Z",
}
const said = [message(1)]

test("drafts are shown at the end", () => {
  const shown = timelineItems(said, [draft], "maja")
  expect(shown.map((each) => [each.kind, each.id])).toEqual([
    ["stored", "m1"],
    ["outgoing", "mine"],
  ])
})

test("once it is stored it is shown once, under the same identity", () => {
  const stored = [...said, message(2, { user_id: "maja", client_id: "mine" })]
  expect(timelineItems(stored, [draft], "maja").map((each) => [each.kind, each.id])).toEqual([
    ["stored", "m1"],
    ["stored", "mine"],
  ])
})

test("the client_id of another user does not match a draft", () => {
  const stored = [...said, message(2, { user_id: "inga", client_id: "mine" })]
  expect(timelineItems(stored, [draft], "maja")).toHaveLength(3)
})

test("a message is the same entry each time it is drawn, until it changes", () => {
  const [before] = timelineItems(said, [], "maja")
  expect(timelineItems([...said, message(2)], [], "maja")[0]).toBe(before)
  expect(timelineItems([{ ...message(1), change: 1 }], [], "maja")[0]).not.toBe(before)
})

test("an outgoing message has the same item until it changes", () => {
  const [before] = timelineItems([], [draft], "maja")
  expect(timelineItems(said, [draft], "maja").at(-1)).toBe(before)
  expect(timelineItems([], [{ ...draft, refused: "not_found" }], "maja")[0]).not.toBe(before)
})
