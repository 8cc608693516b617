import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { openDB } from "idb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import {
  KeyDatabase,
  type PendingCommit,
  type StoredKeyPackage,
  type StoredDevice,
  type StoredGroup,
} from "./key-database"
import { keyDatabaseName } from "./key-database-name"
import type { PinnedAccount } from "./trust"

const bytes = (value: number) => Uint8Array.of(value)
const group = (epoch: number, generation = 0): StoredGroup => ({
  generation,
  epoch,
  encryptedSince: 10,
  leaves: [{ index: 0, userId: "inga", deviceId: "phone", signatureKey: bytes(1) }],
  state: bytes(epoch),
})
const entry = (value: number) => ({ key: bytes(value), members: ["inga"] })
const device = (deviceId: string, seed: number): StoredDevice => ({
  deviceId,
  signatureSeed: bytes(seed),
  hpkePrivateKey: bytes(seed),
  account: null,
})
const pending = (digest: string, ends: number): PendingCommit => ({
  conversationId: "kitchen",
  digest,
  ends: { generation: 0, epoch: ends },
  next: (({ generation, epoch, leaves, state }) => ({ generation, epoch, leaves, state }))(group(ends + 1)),
  entry: entry(ends + 1),
})
const keyPackage = (ref: number, isLastResort = false): StoredKeyPackage => ({
  ref: bytes(ref),
  body: bytes(2),
  initPrivateKey: bytes(3),
  hpkePrivateKey: bytes(4),
  isLastResort,
})

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
})
afterEach(() => {
  vi.unstubAllGlobals()
})

test("of two tabs that advance a group from the same epoch, one succeeds", async () => {
  const [one, other] = [new KeyDatabase("inga"), new KeyDatabase("inga")]
  expect(await one.advance("kitchen", null, group(1), entry(1))).toBe(true)
  const results = await Promise.all([
    one.advance("kitchen", group(1), group(2), entry(2)),
    other.advance("kitchen", group(1), { ...group(2), state: bytes(99) }, entry(99)),
  ])
  expect(results).toEqual([true, false])
  expect(await other.group("kitchen")).toMatchObject(group(2))
  expect((await other.key("kitchen", group(2)))?.key).toEqual(bytes(2))
  expect(await other.advance("kitchen", null, group(3), entry(3))).toBe(false)
  expect(await other.advance("hall", group(1), group(2), entry(2))).toBe(false)
})

test("an epoch keeps its first key, and a conversation the moment since which it is encrypted", async () => {
  const keys = new KeyDatabase("inga")
  await keys.advance("kitchen", null, group(1), entry(1))
  await keys.advance("kitchen", group(1), { ...group(1, 1), encryptedSince: 99 }, entry(2))
  await keys.advance("kitchen", group(1, 1), group(1), entry(3))
  expect((await keys.key("kitchen", group(1)))?.key).toEqual(bytes(1))
  expect((await keys.group("kitchen"))?.encryptedSince).toBe(10)
})

test("a pending commit is kept until its group has advanced beyond it", async () => {
  const keys = new KeyDatabase("inga")
  await keys.advance("kitchen", null, group(1), entry(1))
  await keys.keepPending(pending("a", 1))
  await keys.keepPending(pending("b", 1))
  await keys.keepPending({ ...pending("a", 1), conversationId: "hall" })
  await keys.dropPending("kitchen", "b")
  expect(await keys.pending("kitchen", "b")).toBeUndefined()
  expect(await keys.pending("kitchen", "a")).toEqual(pending("a", 1))
  await keys.keepPending(pending("c", 2))
  await keys.advance("kitchen", group(1), group(2), entry(2))
  expect(await keys.pending("kitchen", "a")).toBeUndefined()
  expect(await keys.pending("kitchen", "c")).toBeDefined()
  expect(await keys.pending("hall", "a")).toBeDefined()
  expect(await keys.pendingCommits("kitchen")).toEqual([pending("c", 2)])
})

test("two tabs create the keys of one device once", async () => {
  const [one, other] = [new KeyDatabase("inga"), new KeyDatabase("inga")]
  const kept = await Promise.all([one.keepDevice(device("phone", 1)), other.keepDevice(device("phone", 2))])
  expect(kept[0]).toEqual(kept[1])
  expect(await one.device()).toEqual(kept[0])
})

test("an account seed that another device's replaced is given up", async () => {
  const keys = new KeyDatabase("inga")
  const signed = { ...device("phone", 1), account: { seed: bytes(5), version: 1 } }
  await keys.keepDevice(signed)
  await keys.dropAccount()
  expect(await keys.device()).toEqual({ ...signed, account: null })
})

test("after signing in again, the groups of the former device are gone, but not its keys nor that they are encrypted", async () => {
  const keys = new KeyDatabase("inga")
  await keys.keepDevice(device("phone", 1))
  await keys.advance("kitchen", null, group(1), entry(1))
  await keys.keepPending(pending("a", 1))
  await keys.keepKeyPackages([keyPackage(1)])
  await keys.keepDevice(device("laptop", 2))
  expect(await keys.group("kitchen")).toMatchObject({ ...group(1), leaves: [], state: null })
  expect(await keys.pending("kitchen", "a")).toBeUndefined()
  expect(await keys.keyPackages()).toEqual([])
  expect(await keys.key("kitchen", group(1))).toEqual(entry(1))
})

test("a key package is deleted together with the Welcome that used it, unless it is the last resort", async () => {
  const keys = new KeyDatabase("inga")
  const [one, other, last] = [keyPackage(1), keyPackage(2), keyPackage(3, true)] as const
  await keys.keepKeyPackages([one, other, last])
  await keys.advance("kitchen", null, group(1), entry(1), one)
  await keys.advance("hall", null, group(1), entry(1), last)
  expect(await keys.keyPackages()).toEqual([other, last])
  await keys.deleteKeyPackages([other])
  expect(await keys.keyPackages()).toEqual([last])
})

test("an account is pinned in one transaction", async () => {
  const account = (version: number): PinnedAccount => ({
    userId: "nils",
    version,
    publicKey: bytes(version),
    devices: [],
  })
  const [one, other] = [new KeyDatabase("inga"), new KeyDatabase("inga")]
  await Promise.all([
    one.pin("nils", (known) => known ?? account(1)),
    other.pin("nils", (known) => known ?? account(2)),
  ])
  expect(await other.pinnedAccounts()).toEqual([account(1)])
  expect(await one.pin("maja", () => null)).toBeUndefined()
  expect(await one.pinnedAccounts()).toEqual([account(1)])
})

test("a newer version of the client is not blocked", async () => {
  const keys = new KeyDatabase("inga")
  await keys.keepDevice(device("phone", 1))
  const newer = await openDB(keyDatabaseName("inga"), 3)
  expect(newer.version).toBe(3)
  newer.close()
})

test("the keys of the first version of the database remain", async () => {
  const names = ["device", "groups", "pending", "keyring", "key_packages", "pinned_accounts"]
  const first = await openDB(keyDatabaseName("inga"), 1, {
    upgrade: (database) => names.forEach((name) => database.createObjectStore(name)),
  })
  await first.put("device", device("phone", 1), "own")
  first.close()
  const keys = new KeyDatabase("inga")
  expect(await keys.device()).toEqual(device("phone", 1))
  expect(await keys.editedAt("kitchen", "m1")).toBe(0)
})

test("the databases of two accounts are separate", async () => {
  await new KeyDatabase("inga").keepDevice(device("phone", 1))
  expect(await new KeyDatabase("nils").device()).toBeUndefined()
})

test("messages that are read together share transactions, and a repeat among them is noticed", async () => {
  const keys = new KeyDatabase("inga")
  await keys.device() // open
  const transaction = vi.spyOn(IDBDatabase.prototype, "transaction")
  const version = (number: number, messageId = `m${number}`) => {
    const origin = { generation: 0, deviceId: "phone", clientId: `c${number}` }
    return keys.accept({ conversationId: "kitchen", messageId, origin, editedAt: 0, generation: 0 })
  }
  const page = await Promise.all([...Array.from({ length: 100 }, (_, number) => version(number)), version(7, "other")])
  expect(page).toEqual([...Array(100).fill("current"), "repeated"])
  expect(transaction.mock.calls.length).toBeLessThan(4)
  transaction.mockRestore()
})
