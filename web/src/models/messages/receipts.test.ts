import type { DeviceKind } from "../../api/types"
import { describe, expect, test } from "vitest"

import { en } from "../../i18n/en"
import { ja } from "../../i18n/ja"
import { translatorOf } from "../../i18n/translate"
import { statusText } from "../../views/format/display-names"
import { unknownPerson } from "../people/people"
import { recipientStatuses, fromReceipts, withStatus, deliveryStatus, unlessChanged, type Receipts } from "./receipts"

const says = (
  user_id: string,
  status: "delivered" | "read",
  seq: number,
  device_kind: DeviceKind | null = "tablet",
) => ({
  conversation_id: "kitchen",
  device_id: `${user_id}'s`,
  device_kind,
  user_id,
  status,
  seq,
})
const none: Receipts = new Map()
const others = ["inga", "nils"]
const people = new Map([
  ["inga", { ...unknownPerson("inga", "inga"), display_name: "Gran" }],
  ["nils", unknownPerson("nils", "Nils")],
])
const names = { people, isFormer: (id: string) => !people.has(id) }

function words(receipts: Receipts, seq: number, of = others): string {
  return statusText(translatorOf(en, "en"), "en", names, deliveryStatus(receipts, seq, of))
}

test('a stored message is "Sent" until a device acknowledges it', () => {
  expect(words(none, 1)).toBe("Sent")
})

test("earlier messages count too, each person by the furthest device", () => {
  const receipts = fromReceipts([
    { user_id: "inga", device_id: "a", device_kind: "tablet", delivered_seq: 3, read_seq: 1 },
    { user_id: "inga", device_id: "b", device_kind: "phone", delivered_seq: 2, read_seq: 2 },
  ])

  expect(words(receipts, 2)).toBe("Read by Gran")
  expect(words(receipts, 3)).toBe("Delivered to Gran's tablet")
  expect(words(receipts, 4)).toBe("Sent")
})

test("each status is shown as text with names", () => {
  const delivered = withStatus(none, says("inga", "delivered", 5))
  expect(words(delivered, 5)).toBe("Delivered to Gran's tablet")
  expect(words(delivered, 6)).toBe("Sent")
  const read = withStatus(delivered, says("inga", "read", 5))
  expect(words(read, 4)).toBe("Read by Gran")
  expect(words(withStatus(read, says("nils", "read", 5)), 5)).toBe("Read by everyone")
})

test("a read message is delivered, and no status moves back", () => {
  const receipts = withStatus(withStatus(none, says("inga", "read", 7)), says("inga", "delivered", 3))
  expect(receipts.get("inga")).toEqual({ delivered: 7, read: 7, on: { tablet: 7 } })
})

test("receipts of the user's own devices do not count", () => {
  expect(words(withStatus(none, says("maja", "read", 5)), 5)).toBe("Sent")
})

describe("a direct conversation", () => {
  test("is called by name, not everyone", () => {
    expect(words(withStatus(none, says("inga", "read", 1)), 1, ["inga"])).toBe("Read by Gran")
  })

  test("has no recipient in notes to self", () => {
    expect(words(none, 1, [])).toBe("Sent")
  })
})

test("waiting and refused messages have a status too", () => {
  const t = translatorOf(en, "en")
  expect(statusText(t, "en", names, { state: "device" })).toBe("Waiting to send")
  expect(statusText(t, "en", names, { state: "refused", reason: "message_too_large" })).toBe(
    "Not sent. This message is too long.",
  )
})

test("where a message is, is known of each person apart", () => {
  const receipts = [says("inga", "read", 4), says("nils", "delivered", 5)].reduce(withStatus, none)
  expect(recipientStatuses(receipts, 4, ["inga", "nils", "emil"])).toEqual([
    { id: "inga", state: "read", on: ["tablet"] },
    { id: "nils", state: "delivered", on: ["tablet"] },
    { id: "emil", state: "server", on: [] },
  ])
})

describe("on what a message is", () => {
  const arrived = (...told: Parameters<typeof says>[]) => told.map((each) => says(...each)).reduce(withStatus, none)

  test("names each kind of device once", () => {
    const receipts = arrived(["inga", "delivered", 5, "tablet"], ["inga", "delivered", 6, "phone"])
    expect(words(receipts, 6)).toBe("Delivered to Gran's phone")
    expect(words(receipts, 5)).toBe("Delivered to Gran's phone and tablet")
  })

  test("names each recipient until all have it", () => {
    const receipts = arrived(["inga", "delivered", 5, "tablet"], ["nils", "delivered", 5, "computer"])
    expect(words(receipts, 5, ["inga", "nils", "emil"])).toBe("Delivered to Gran's tablet and Nils's computer")
    expect(words(receipts, 5)).toBe("Delivered to everyone")
  })

  test("is not guessed where a device does not say, nor where its kind was not kept", () => {
    expect(words(arrived(["inga", "delivered", 5, null]), 5)).toBe("Delivered to Gran's device")
    expect(words(new Map([["inga", { delivered: 5, read: 0 }]]), 5)).toBe("Delivered to Gran's device")
  })

  test("is shown in Japanese, too", () => {
    const receipts = arrived(["inga", "delivered", 5, "tablet"], ["inga", "delivered", 5, "phone"])
    const at = deliveryStatus(receipts, 5, others)
    expect(statusText(translatorOf(ja, "ja"), "ja", names, at)).toBe("Granのスマートフォン、タブレットに届きました")
  })
})

test("a status that a receipt does not change stays the same object", () => {
  const read = withStatus(new Map(), says("inga", "read", 3))
  const before = deliveryStatus(read, 2, ["inga", "nils"])
  const later = withStatus(read, says("inga", "read", 4))
  expect(unlessChanged(before, deliveryStatus(later, 2, ["inga", "nils"]))).toBe(before)
  const all = deliveryStatus(withStatus(later, says("nils", "read", 4)), 2, ["inga", "nils"])
  expect(unlessChanged(before, all)).toBe(all)
  expect(unlessChanged(undefined, all)).toBe(all)
})
