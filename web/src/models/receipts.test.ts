import { describe, expect, test } from "vitest"

import { translator } from "../i18n/translate"
import { where } from "../views/names"
import { arrivals, gather, note, whereabouts, type Receipts } from "./receipts"

const says = (user_id: string, status: "delivered" | "read", seq: number) => ({
  conversation_id: "kitchen",
  device_id: `${user_id}'s tablet`,
  user_id,
  status,
  seq,
})
const none: Receipts = new Map()
const others = ["inga", "nils"]
const people = new Map([
  ["inga", "Gran"],
  ["nils", "Nils"],
])

function words(receipts: Receipts, seq: number, of = others): string {
  return where(translator("en"), "en", people, whereabouts(receipts, seq, of))
}

test("a stored message is on the server until somebody's device says more", () => {
  expect(words(none, 1)).toBe("On your server")
})

test("what was said before one came counts, each person by the furthest device", () => {
  const receipts = gather([
    { user_id: "inga", device_id: "tablet", delivered_seq: 3, read_seq: 1 },
    { user_id: "inga", device_id: "phone", delivered_seq: 2, read_seq: 2 },
  ])

  expect(words(receipts, 2)).toBe("Read by Gran")
  expect(words(receipts, 3)).toBe("Delivered to Gran")
  expect(words(receipts, 4)).toBe("On your server")
})

test("each step is told in words, with names", () => {
  const delivered = note(none, says("inga", "delivered", 5))
  expect(words(delivered, 5)).toBe("Delivered to Gran")
  expect(words(delivered, 6)).toBe("On your server")
  const read = note(delivered, says("inga", "read", 5))
  expect(words(read, 4)).toBe("Read by Gran")
  expect(words(note(read, says("nils", "read", 5)), 5)).toBe("Read by everyone")
})

test("who has read it has it, and nothing moves back", () => {
  const receipts = note(note(none, says("inga", "read", 7)), says("inga", "delivered", 3))
  expect(receipts.get("inga")).toEqual({ delivered: 7, read: 7 })
})

test("what one's own devices say makes no claim about the others", () => {
  expect(words(note(none, says("maja", "read", 5)), 5)).toBe("On your server")
})

describe("somebody to whom it is alone", () => {
  test("is called by name, not everyone", () => {
    expect(words(note(none, says("inga", "read", 1)), 1, ["inga"])).toBe("Read by Gran")
  })

  test("may be nobody, in notes to self", () => {
    expect(words(none, 1, [])).toBe("On your server")
  })
})

test("what waits, and what was refused, is told too", () => {
  const t = translator("en")
  expect(where(t, "en", people, { at: "device" })).toBe("Waiting on this device")
  expect(where(t, "en", people, { at: "refused", reason: "message_too_large" })).toBe("Not sent. It is too long.")
})

test("where a message is, is known of each person apart", () => {
  const receipts = [says("inga", "read", 4), says("nils", "delivered", 5)].reduce(note, none)
  expect([...arrivals(receipts, 4, ["inga", "nils", "emil"])]).toEqual([
    ["inga", "read"],
    ["nils", "delivered"],
    ["emil", "server"],
  ])
})
