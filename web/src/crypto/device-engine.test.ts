import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { encryptBody } from "./body"
import { DeviceEngine, type EncryptedBody, type ListedKeyPackage, type ReceivedBody } from "./device-engine"
import { KeyDatabase, type StoredDevice } from "./key-database"
import { utf8ToBytes } from "./suite"
import type { ListedUser } from "./trust"

const BOTH = ["inga", "nils"]

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

async function listed(userId: string, engine: DeviceEngine): Promise<ListedUser> {
  const { account, ...keys } = await engine.publishedKeys()
  return {
    userId,
    accounts: account ? [account] : [],
    devices: [{ userId, deviceId: `${userId}-phone`, accountVersion: 1, ...keys }],
  }
}

/** Two engines that know each other, and a key package of Nils. */
async function pair() {
  const [inga, nils] = [
    await DeviceEngine.open("inga", "inga-phone", false),
    await DeviceEngine.open("nils", "nils-phone", false),
  ]
  const users = [await listed("inga", inga), await listed("nils", nils)]
  await inga.learn(users)
  await nils.learn(users)
  const { lastResort } = await nils.createKeyPackages(0)
  const packages: ListedKeyPackage[] = [{ userId: "nils", deviceId: "nils-phone", body: lastResort }]
  return { inga, nils, packages }
}

/** Creates the group of a conversation, and joins it. */
async function joined(conversationId: string) {
  const { inga, nils, packages } = await pair()
  const created = await inga.prepareCreation(conversationId, 0, packages, BOTH)
  await inga.catchUp(conversationId, 0, [{ epoch: 0, commit: created.commit, sinceSeq: 7 }], BOTH)
  await nils.join(conversationId, 0, created.welcome as Uint8Array, 7, BOTH)
  return { inga, nils, packages, created }
}

/** A message as the server presents it. */
function presented(userId: string, body: EncryptedBody | null, change: Partial<ReceivedBody> = {}): ReceivedBody {
  if (!body) throw new Error("not encrypted")
  const place = { kind: "message", conversationId: "kitchen", messageId: "m1", isCurrent: true } as const
  return { ...place, userId, subject: "c1", ...body, ...change }
}

/** Returns what Inga sends: a message, or an edit of it. */
async function sent(inga: DeviceEngine, text: string, at?: number): Promise<ReceivedBody> {
  if (at === undefined) return presented("inga", await inga.encrypt("message", "kitchen", "c1", { text }, BOTH))
  const edit = { kind: "edit", subject: "m1" } as const
  return presented("inga", await inga.encrypt("edit", "kitchen", "m1", { text, at }, BOTH), edit)
}

test("a message that the server shows a second time is refused, also after a restart and in another tab", async () => {
  const { inga, nils } = await joined("kitchen")
  const message = await sent(inga, "yes")
  const repeated = { ...message, messageId: "m2" }
  const again = { ...presented("inga", await inga.encrypt("message", "kitchen", "c1", { text: "yes" }, BOTH)) }
  for (const _ of [1, 2]) expect(await nils.decrypt(message)).toEqual({ kind: "content", content: { text: "yes" } })
  const otherTab = await DeviceEngine.open("nils", "nils-phone", true)
  for (const engine of [nils, otherTab]) {
    expect(await engine.decrypt(repeated)).toEqual({ kind: "failed", code: 603 })
    expect(await engine.decrypt({ ...again, messageId: "m3" })).toEqual({ kind: "failed", code: 603 })
    expect((await engine.decrypt(message)).kind).toBe("content")
  }
})

test("a message that another member forges does not take the place of the real one", async () => {
  const { inga, nils } = await joined("kitchen")
  const message = await sent(inga, "yes")
  await nils.decrypt({ ...message, messageId: "m2", sender_device_id: "nils-phone" })
  await nils.decrypt({ ...message, messageId: "m2", body: message.body.replace(/.$/, "") })
  expect((await nils.decrypt(message)).kind).toBe("content")
})

test("an older edit, or the first version, never replaces a newer one", async () => {
  const { inga, nils } = await joined("kitchen")
  const [first, second, third] = [await sent(inga, "six"), await sent(inga, "seven", 10), await sent(inga, "eight", 20)]
  for (const version of [first, second, third, third]) expect((await nils.decrypt(version)).kind).toBe("content")
  for (const replayed of [first, second]) {
    expect(await nils.decrypt(replayed)).toEqual({ kind: "superseded" })
    expect((await nils.decrypt({ ...replayed, isCurrent: false })).kind).toBe("content")
  }
})

test("an edit is newer than the previous one, also if the sender's clock was set back", async () => {
  const { inga } = await joined("kitchen")
  await inga.decrypt(await sent(inga, "seven", 20))
  expect(await inga.decrypt(await sent(inga, "eight", 5))).toMatchObject({ content: { text: "eight", at: 21 } })
})

test("after a restore of the server, in a new generation, an edit can be undone and a message sent again", async () => {
  const { inga, nils } = await joined("kitchen")
  const [first, second] = [await sent(inga, "six"), await sent(inga, "seven", 10)]
  for (const version of [first, second]) await nils.decrypt(version)
  const keys = new KeyDatabase("nils")
  const next = { generation: 1, epoch: 1, encryptedSince: 7, leaves: [], state: null }
  await keys.advance("kitchen", { generation: 0, epoch: 1 }, next, null)
  expect((await nils.decrypt(first)).kind).toBe("content")
  const sentAgain = { generation: 1, deviceId: "inga-phone", clientId: "c1" }
  const stored = { conversationId: "kitchen", messageId: "m2", editedAt: 0, generation: 1 }
  expect(await keys.accept({ ...stored, origin: sentAgain })).toBe("current")
})

test("a device publishes the same keys after a restart, certified by the account key it created", async () => {
  const inga = await DeviceEngine.open("inga", "phone", false)
  const keys = await inga.publishedKeys()
  expect(keys.account?.version).toBe(1)
  expect(keys.certificate?.length).toBe(64)
  expect(await (await DeviceEngine.open("inga", "phone", false)).publishedKeys()).toEqual(keys)
})

test("a device of a user with an account key is pending", async () => {
  const inga = await DeviceEngine.open("inga", "laptop", true)
  expect(await inga.publishedKeys()).toMatchObject({ certificate: null, account: null })
})

test("of two devices that create the account key at once, the second becomes pending and keeps its own keys", async () => {
  const inga = await DeviceEngine.open("inga", "phone", false)
  const { signatureKey } = await inga.publishedKeys()
  await inga.becomePending()
  expect(await inga.publishedKeys()).toMatchObject({ signatureKey, certificate: null, account: null })
  expect(await (await DeviceEngine.open("inga", "phone", true)).publishedKeys()).toMatchObject({
    signatureKey,
    account: null,
  })
})

test("an account key that the server accepted before is never given up, whatever it says later", async () => {
  const inga = await DeviceEngine.open("inga", "inga-phone", false)
  await inga.learn([await listed("inga", inga)])
  expect(await inga.becomePending()).toBe(false)
  expect((await inga.publishedKeys()).certificate).not.toBeNull()
})

test("the server cannot replace the account key of the user's own devices", async () => {
  const inga = await DeviceEngine.open("inga", "inga-phone", false)
  const mallory = await DeviceEngine.open("mallory", "ghost", false)
  const { accounts } = await listed("mallory", mallory)
  expect(await inga.learn([{ userId: "inga", accounts, devices: [] }])).toEqual(["inga"])
})

test("a position says since when a conversation is encrypted", async () => {
  const { inga, nils } = await joined("kitchen")
  const enteredAt = expect.any(Number) as number
  const position = { generation: 0, epoch: 1, encryptedSince: 7, isMember: true, enteredAt, sinceSeq: 7 }
  expect([await inga.position("kitchen"), await nils.position("kitchen")]).toEqual([position, position])
  expect(await nils.position("hall")).toBeNull()
})

test("a group info or Welcome of another conversation or generation is refused", async () => {
  const { inga, nils, created, packages } = await joined("kitchen")
  await expect(nils.prepareJoin("hall", 0, created.groupInfo, BOTH)).rejects.toThrow("another conversation")
  await expect(nils.prepareJoin("kitchen", 1, created.groupInfo, BOTH)).rejects.toThrow("another conversation")
  const other = await inga.prepareCreation("kitchen", 1, packages, BOTH)
  await expect(nils.join("kitchen", 0, other.welcome as Uint8Array, 7, BOTH)).rejects.toThrow("another conversation")
})

test("an old group info is refused, and an old Welcome changes nothing", async () => {
  const { inga, nils, created } = await joined("kitchen")
  const next = await inga.prepareCommit("kitchen", [], [], BOTH)
  await nils.catchUp("kitchen", 0, [{ epoch: 1, commit: next?.commit as Uint8Array, sinceSeq: 9 }], BOTH)
  await expect(nils.prepareJoin("kitchen", 0, created.groupInfo, BOTH)).rejects.toThrow("older")
  await nils.join("kitchen", 0, created.welcome as Uint8Array, 9, BOTH)
  expect((await nils.position("kitchen"))?.epoch).toBe(2)
})

test("a device that was removed is not brought back into an earlier epoch", async () => {
  const { inga, nils } = await joined("kitchen")
  const keys = new KeyDatabase("nils")
  const removed = { generation: 0, epoch: 3, encryptedSince: 7, leaves: [], state: null }
  await keys.advance("kitchen", { generation: 0, epoch: 1 }, removed, null)
  const { lastResort } = await nils.createKeyPackages(0)
  const packages = [{ userId: "nils", deviceId: "nils-phone", body: lastResort }]
  const replayed = await inga.prepareCreation("kitchen", 0, packages, BOTH)
  await nils.join("kitchen", 0, replayed.welcome as Uint8Array, 7, BOTH)
  expect(await nils.position("kitchen")).toMatchObject({ epoch: 3, isMember: false })
})

test("the epoch whose roster was checked is the one in which a message is encrypted", async () => {
  const { inga } = await joined("kitchen")
  const alone = await inga.prepareCommit("kitchen", [1], [], BOTH)
  const advance = () =>
    inga.catchUp("kitchen", 0, [{ epoch: 1, commit: alone?.commit as Uint8Array, sinceSeq: 9 }], ["inga"])
  const key = vi.spyOn(KeyDatabase.prototype, "key").mockImplementationOnce(async function (this: KeyDatabase, ...of) {
    const entry = await this.key(...of)
    await advance() // in another tab: Nils has no leaf any more
    return entry
  })
  expect(await inga.encrypt("message", "kitchen", "c1", { text: "without Nils" }, ["inga"])).toBeNull()
  key.mockRestore()
  expect((await inga.encrypt("message", "kitchen", "c1", { text: "without Nils" }, ["inga"]))?.key_id).toBe("0:2")
})

test("a key package with an invalid signature is reported, and the others are added", async () => {
  const { inga, packages } = await pair()
  const lova = await DeviceEngine.open("lova", "lova-phone", false)
  await inga.learn([await listed("lova", lova)])
  const { lastResort } = await lova.createKeyPackages(0)
  const forged = lastResort.map((byte, index) => (index === lastResort.length - 1 ? byte ^ 1 : byte))
  const all = [...packages, { userId: "lova", deviceId: "lova-phone", body: forged }]
  const { unusable, welcome } = await inga.prepareCreation("kitchen", 0, all, [...BOTH, "lova"])
  expect(unusable).toEqual(["lova-phone"])
  expect(welcome).not.toBeNull()
})

test("expired key packages are deleted when new ones are made", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-01T00:00:00Z") })
  const inga = await DeviceEngine.open("inga", "phone", false)
  await inga.createKeyPackages(2)
  vi.setSystemTime(new Date("2026-12-15T00:00:00Z"))
  const { packages } = await inga.createKeyPackages(1)
  expect(packages.length).toBe(1)
  expect((await new KeyDatabase("inga").keyPackages()).length).toBe(2)
})

test("a message of a newer client, and a malformed one, are told apart", async () => {
  const { inga, nils } = await joined("kitchen")
  const encrypted = await inga.encrypt("message", "kitchen", "c1", { text: "hello" }, BOTH)
  if (!encrypted) throw new Error("not encrypted")
  const received = presented("inga", encrypted)
  expect(await nils.decrypt(received)).toEqual({ kind: "content", content: { text: "hello" } })
  const keys = new KeyDatabase("inga")
  const { signatureSeed } = (await keys.device()) as StoredDevice
  const key = (await keys.key("kitchen", { generation: 0, epoch: 1 }))?.key as Uint8Array
  const context = {
    kind: "message",
    conversationId: "kitchen",
    generation: 0,
    epoch: 1,
    userId: "inga",
    deviceId: "inga-phone",
    subject: "c1",
  } as const
  const body = (content: string) => encryptBody(key, context, signatureSeed, utf8ToBytes(content))
  expect(await nils.decrypt({ ...received, body: body('{"v":2}') })).toEqual({ kind: "newer" })
  expect(await nils.decrypt({ ...received, body: body("{}") })).toEqual({ kind: "failed", code: 603 })
  // Nils knows the epoch key, but cannot write in Inga's name.
  const nilss = ((await new KeyDatabase("nils").device()) as StoredDevice).signatureSeed
  const forged = encryptBody(key, context, nilss, utf8ToBytes('{"v":1,"text":"forged"}'))
  expect(await nils.decrypt({ ...received, body: forged })).toEqual({ kind: "failed", code: 608 })
})
