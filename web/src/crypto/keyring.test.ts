import { expect, test } from "vitest"

import { isBefore, isSameEpoch, keyId, keyringEntry, parseKeyId } from "./keyring"

test("a key id names generation and epoch", () => {
  expect(keyId({ generation: 2, epoch: 17 })).toBe("2:17")
  expect(parseKeyId("2:17")).toEqual({ generation: 2, epoch: 17 })
  for (const text of ["", "2", "2:", ":1", "2:17:1", "02:17", "2:1e1", "2:-1.5", "a:b", "0:9007199254740993"]) {
    expect(parseKeyId(text)).toBeNull()
  }
})

test("epochs are ordered by their generation first", () => {
  expect(isBefore({ generation: 0, epoch: 9 }, { generation: 1, epoch: 1 })).toBe(true)
  expect(isBefore({ generation: 1, epoch: 1 }, { generation: 1, epoch: 2 })).toBe(true)
  expect(isBefore({ generation: 1, epoch: 2 }, { generation: 1, epoch: 2 })).toBe(false)
  expect(isBefore({ generation: 2, epoch: 0 }, { generation: 1, epoch: 2 })).toBe(false)
  expect(isSameEpoch({ generation: 1, epoch: 2 }, { generation: 1, epoch: 2 })).toBe(true)
  expect(isSameEpoch({ generation: 0, epoch: 2 }, { generation: 1, epoch: 2 })).toBe(false)
})

test("an entry records the users with a leaf and the participants without a device", () => {
  const key = new Uint8Array(32)
  const entry = keyringEntry(key, [{ userId: "nils" }, { userId: "inga" }, { userId: "nils" }], ["inga", "maja"])
  expect(entry).toEqual({ key, members: ["inga", "maja", "nils"] })
})
