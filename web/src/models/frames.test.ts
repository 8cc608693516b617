import { expect, test } from "vitest"

import { append, lines, matching, type Frame } from "./frames"

const frame = (number: number, change: Partial<Frame> = {}): Frame => ({
  number,
  at: new Date(0),
  direction: "in",
  topic: "message:family:1",
  event: "new_msg",
  payload: { body: "Dinner at six?" },
  ...change,
})

test("the viewer keeps the newest thousand frames", () => {
  let frames: readonly Frame[] = []
  for (let number = 1; number <= 1_005; number++) frames = append(frames, frame(number))
  expect([frames.length, frames[0]?.number, frames.at(-1)?.number]).toEqual([1_000, 6, 1_005])
})

test("a filter looks for every word, anywhere, in any case", () => {
  const frames = [frame(1), frame(2, { event: "typing", payload: {} })]
  expect(matching(frames, "dinner NEW_MSG", true).map((each) => each.number)).toEqual([1])
  expect(matching(frames, "", true)).toHaveLength(2)
})

test("heartbeats are shown when asked for", () => {
  const frames = [frame(1, { topic: "phoenix", event: "phx_reply" })]
  expect(matching(frames, "", false)).toHaveLength(0)
  expect(matching(frames, "", true)).toHaveLength(1)
})

test("encryption fields stand out, and an encrypted body is not shown at any depth", () => {
  const sealed = { body: "q83vASNF", encryption_flag: true, encryption_version: "v1.0.0", key_id: "KEY" }
  const shown = lines({ response: { messages: [sealed] } })
  expect(shown.map((line) => line.text).join("\n")).not.toContain("q83v")
  expect(shown.find((line) => line.kind === "opaque")?.text).toContain("8 characters")
  expect(shown.filter((line) => line.kind === "encryption")).toHaveLength(3)
})

test("a plain body is shown as it is", () => {
  expect(lines({ body: "hi", encryption_flag: false })[1]).toEqual({ text: '  "body": "hi",', kind: "plain" })
})
