import { expect, test } from "vitest"

import { accountKeys, type DeviceKeys } from "./derivations"
import { hpkeKeyPair, randomBytes, signatureKeyPair } from "./suite"
import { certify, isReplaced, isTrusted, pinned, type ListedDevice, type ListedUser } from "./trust"

const account = accountKeys(randomBytes(32))
const mallory = accountKeys(randomBytes(32))

function device(deviceId: string, userId = "nils"): DeviceKeys {
  const signatureKey = signatureKeyPair(randomBytes(32)).publicKey
  return { userId, deviceId, signatureKey, hpkeKey: hpkeKeyPair().publicKey }
}

function listed(keys: DeviceKeys, by = account, accountVersion = 1): ListedDevice {
  return { ...keys, certificate: certify(by, accountVersion, keys), accountVersion }
}

function nils(...devices: ListedDevice[]): ListedUser {
  return { userId: "nils", accounts: [{ version: 1, publicKey: account.signature.publicKey }], devices }
}

const [phone, laptop] = [device("phone"), device("laptop")]

test("a device that the account key certified is trusted, with exactly this key", () => {
  const known = pinned(undefined, nils(listed(phone)))
  expect(isTrusted(known ?? undefined, phone)).toBe(true)
  expect(isTrusted(known ?? undefined, { ...phone, signatureKey: laptop.signatureKey })).toBe(false)
  expect(isTrusted(known ?? undefined, laptop)).toBe(false)
  expect(isTrusted(undefined, phone)).toBe(false)
})

test.each<[string, ListedDevice]>([
  ["a pending device", { ...phone, certificate: null, accountVersion: 1 }],
  ["a device that another account certified", listed(phone, mallory)],
  ["a certificate for other keys", { ...listed(phone), hpkeKey: laptop.hpkeKey }],
  ["a certificate for another device", { ...listed(phone), deviceId: "ghost" }],
  ["a certificate for another user", listed({ ...phone, userId: "maja" })],
  ["a certificate of another version", listed(phone, account, 2)],
])("%s is not trusted", (_, ghost) => {
  expect(pinned(undefined, nils(ghost))?.devices).toEqual([])
})

test("a pinned account key stays, whatever the server lists later", () => {
  const known = pinned(undefined, nils(listed(phone)))
  if (!known) throw new Error("not pinned")
  const ghost = device("ghost")
  const replaced: ListedUser = {
    userId: "nils",
    accounts: [{ version: 2, publicKey: mallory.signature.publicKey }],
    devices: [listed(ghost, mallory, 2), listed(ghost, mallory, 1)],
  }
  expect(isReplaced(known, replaced)).toBe(true)
  expect(isReplaced(known, nils())).toBe(false)
  const after = pinned(known, replaced) ?? undefined
  expect(isTrusted(after, ghost)).toBe(false)
  expect(isTrusted(after, phone)).toBe(true)
})

test("new devices are added to those that are known", () => {
  const known = pinned(undefined, nils(listed(phone))) ?? undefined
  expect(pinned(known, nils(listed(laptop)))?.devices.map(({ deviceId }) => deviceId)).toEqual(["phone", "laptop"])
})

test("a user without an account key is not pinned", () => {
  expect(pinned(undefined, { userId: "nils", accounts: [], devices: [] })).toBeNull()
})
