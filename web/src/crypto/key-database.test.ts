import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { openDB } from "idb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { KeyDatabase, keyDatabaseName, type PendingCommit, type StoredDevice, type StoredGroup } from "./key-database"
import type { OwnKeyPackage } from "./mls"
import type { PinnedAccount } from "./trust"

const bytes = (value: number) => Uint8Array.of(value)
const group = (epoch: number, generation = 0): StoredGroup => ({
  generation,
  epoch,
  encryptedSince: 10,
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
  next: group(ends + 1),
  entry: entry(ends + 1),
})
const keyPackage: OwnKeyPackage = { ref: bytes(1), body: bytes(2), initPrivateKey: bytes(3), hpkePrivateKey: bytes(4) }

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
  expect(await other.group("kitchen")).toEqual(group(2))
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
})

test("two tabs create the keys of one device once", async () => {
  const [one, other] = [new KeyDatabase("inga"), new KeyDatabase("inga")]
  const kept = await Promise.all([one.keepDevice(device("phone", 1)), other.keepDevice(device("phone", 2))])
  expect(kept[0]).toEqual(kept[1])
  expect(await one.device()).toEqual(kept[0])
})

test("after signing in again, the groups of the former device are gone, but not its keys nor that they are encrypted", async () => {
  const keys = new KeyDatabase("inga")
  await keys.keepDevice(device("phone", 1))
  await keys.advance("kitchen", null, group(1), entry(1))
  await keys.keepPending(pending("a", 1))
  await keys.keepKeyPackages([["ref", keyPackage]])
  await keys.keepDevice(device("laptop", 2))
  expect(await keys.group("kitchen")).toEqual({ ...group(1), state: null })
  expect(await keys.pending("kitchen", "a")).toBeUndefined()
  expect(await keys.keyPackages()).toEqual([])
  expect(await keys.key("kitchen", group(1))).toEqual(entry(1))
})

test("a key package is deleted together with the Welcome that used it", async () => {
  const keys = new KeyDatabase("inga")
  await keys.keepKeyPackages([
    ["one", keyPackage],
    ["other", keyPackage],
  ])
  await keys.advance("kitchen", null, group(1), entry(1), "one")
  expect(await keys.keyPackages()).toEqual([keyPackage])
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
  expect(await other.pinnedAccount("nils")).toEqual(account(1))
  expect(await one.pin("maja", () => null)).toBeUndefined()
  expect(await one.pinnedAccount("maja")).toBeUndefined()
})

test("a newer version of the client is not blocked", async () => {
  const keys = new KeyDatabase("inga")
  await keys.keepDevice(device("phone", 1))
  const newer = await openDB(keyDatabaseName("inga"), 2)
  expect(newer.version).toBe(2)
  newer.close()
})

test("the databases of two accounts are separate", async () => {
  await new KeyDatabase("inga").keepDevice(device("phone", 1))
  expect(await new KeyDatabase("nils").device()).toBeUndefined()
})
