import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { ApiError } from "../api/http"
import { KITCHEN, openTab, signIn, type TestTab } from "../testing/encrypted-family"
import { SimulatedServer } from "../testing/group-server"
import type { ReceivedBody } from "../crypto/device-engine"
import { KeyDatabase, type StoredGroup } from "../crypto/key-database"

const DAY = 24 * 60 * 60 * 1000
let server: SimulatedServer

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  server = new SimulatedServer()
  server.participants.set(KITCHEN, new Set(["inga", "nils"]))
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const pair = async () => [await signIn(server, "inga"), await signIn(server, "nils")] as const

async function sent(tab: TestTab, text: string): Promise<ReceivedBody> {
  const result = await tab.send(text)
  if (!("body" in result)) throw new Error(`not sent: ${result.kind}`)
  return result
}

const epochs = () => (server.logs.get(KITCHEN) ?? []).map(({ generation, epoch }) => `${generation}:${epoch}`)

test("the first sender creates the group, and the other joins by a Welcome and reads", async () => {
  const [inga, nils] = await pair()
  const message = await sent(inga, "Dinner at six?")
  expect(message.key_id).toBe("0:1")
  expect(message.body).not.toContain("Dinner")
  expect((await nils.sync.prepareToSend()).kind).toBe("ready")
  expect(await nils.read(message)).toBe("Dinner at six?")
  expect(await inga.read(await sent(nils, "Yes"))).toBe("Yes")
  expect(epochs()).toEqual(["0:0"])
})

test("nothing is encrypted before every participant has keys", async () => {
  const inga = await signIn(server, "inga")
  expect(await inga.send("Hello?")).toEqual({ kind: "waiting", for: ["nils"] })
  expect(await inga.engine.position(KITCHEN)).toBeNull()
})

test("a new member reads nothing from before, and a removed one nothing from after", async () => {
  const [inga, nils] = await pair()
  const before = await sent(inga, "before")
  await nils.sync.prepareToSend()
  const maja = await signIn(server, "maja")
  server.participants.get(KITCHEN)?.add("maja")
  const with3 = await sent(nils, "hello Maja")
  await maja.sync.prepareToSend()
  expect([await maja.read(before), await maja.read(with3), await inga.read(with3)]).toEqual([
    605,
    "hello Maja",
    "hello Maja",
  ])
  server.participants.get(KITCHEN)?.delete("nils")
  const after = await sent(maja, "without Nils")
  expect([await nils.read(after), await nils.read(before), await inga.read(after)]).toEqual([
    605,
    "before",
    "without Nils",
  ])
  expect(await nils.engine.encrypt("message", KITCHEN, "c", { text: "x" }, nils.participants)).toBeNull()
})

test("whatever the server says, nothing is encrypted while a user has a leaf who does not take part", async () => {
  const [inga] = await pair()
  await sent(inga, "hello")
  expect(await inga.engine.encrypt("message", KITCHEN, "c", { text: "x" }, ["inga"])).toBeNull()
  expect(await inga.engine.encrypt("message", KITCHEN, "c", { text: "x" }, ["inga", "nils"])).not.toBeNull()
})

test("a revoked device is removed by the next sender", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "one")
  await nils.sync.prepareToSend()
  const lost = server.devices.get("nils-phone")
  if (lost) lost.isRevoked = true
  const message = await sent(inga, "two")
  expect(message.key_id).toBe("0:2")
  expect(await nils.read(message)).toBe(605)
})

test("the next message begins a new epoch when the present one is a week old", async () => {
  vi.useFakeTimers({ toFake: ["Date"] })
  const [inga, nils] = await pair()
  await sent(inga, "one")
  vi.setSystemTime(Date.now() + 7 * DAY - 1)
  expect((await sent(inga, "two")).key_id).toBe("0:1")
  vi.setSystemTime(Date.now() + 1)
  const third = await sent(inga, "three")
  expect([third.key_id, (await sent(inga, "four")).key_id]).toEqual(["0:2", "0:2"])
  await nils.sync.prepareToSend()
  expect(await nils.read(third)).toBe("three")
})

test("the next message begins a new epoch when the present one has 500 messages, also in another tab", async () => {
  const [inga] = await pair()
  await sent(inga, "one")
  server.lastSeq = 499
  expect((await sent(inga, "two")).key_id).toBe("0:1")
  expect((await sent(await openTab(inga), "three")).key_id).toBe("0:2")
  expect((await sent(inga, "four")).key_id).toBe("0:2")
})

test("a server that always calls an epoch old costs one commit per message", async () => {
  const [inga] = await pair()
  await sent(inga, "one")
  server.lastSeq = 10_000
  server.beforeCommit = async () => {
    server.lastSeq = 0
  }
  server.afterCommit = () => {
    server.lastSeq = 10_000
  }
  expect((await sent(inga, "two")).key_id).toBe("0:2")
})

test("nothing but a message begins a new epoch", async () => {
  const [inga] = await pair()
  await sent(inga, "one")
  server.lastSeq = 10_000
  await inga.sync.follow()
  expect(epochs()).toEqual(["0:0"])
})

test("two devices that create the group at once end up in the same one", async () => {
  const [inga, nils] = await pair()
  const [one, other] = await Promise.all([sent(inga, "from Inga"), sent(nils, "from Nils")])
  expect([await nils.read(one), await inga.read(other)]).toEqual(["from Inga", "from Nils"])
  expect(epochs().filter((epoch) => epoch === "0:0")).toEqual(["0:0"])
})

test("of two tabs that reconcile the roster at once, one commits, and both can send", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "one")
  await nils.sync.prepareToSend()
  await signIn(server, "maja")
  server.participants.get(KITCHEN)?.add("maja")
  const tab = await openTab(inga)
  const [one, other] = await Promise.all([sent(inga, "first tab"), sent(tab, "second tab")])
  expect([await nils.read(one), await nils.read(other)]).toEqual(["first tab", "second tab"])
  expect(epochs()).toEqual(["0:0", "0:1"])
})

test("a page that is killed before it sees the reply adopts its commit later", async () => {
  const [inga, nils] = await pair()
  server.losesReply = true
  await expect(inga.send("lost")).rejects.toThrow()
  expect(await inga.engine.position(KITCHEN)).toBeNull()
  const reopened = await openTab(inga)
  const message = await sent(reopened, "again")
  await nils.sync.prepareToSend()
  expect(await nils.read(message)).toBe("again")
  expect(epochs()).toEqual(["0:0"])
  // The same in the middle of a group.
  await signIn(server, "maja")
  server.participants.get(KITCHEN)?.add("maja")
  server.losesReply = true
  await expect(reopened.send("lost")).rejects.toThrow()
  expect(await nils.read(await sent(await openTab(inga), "third"))).toBe("third")
  expect(epochs()).toEqual(["0:0", "0:1"])
})

test("a commit that the server accepted before it failed is adopted later, so that its epoch can be read", async () => {
  const [inga, nils] = await pair()
  await signIn(server, "maja")
  server.participants.get(KITCHEN)?.add("maja")
  await sent(inga, "hello")
  await nils.sync.prepareToSend()
  server.participants.get(KITCHEN)?.delete("maja")
  server.afterCommit = () => {
    server.afterCommit = () => undefined
    throw new ApiError(500, "internal_error")
  }
  await expect(inga.send("lost")).rejects.toThrow("internal_error")
  const message = await sent(nils, "in the new epoch")
  expect(message.key_id).toBe("0:2")
  await inga.sync.follow()
  expect(await inga.read(message)).toBe("in the new epoch")
})

test("a commit that was stored but never sent changes nothing", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "one")
  await inga.engine.prepareCommit(KITCHEN, [], [], inga.participants)
  await nils.sync.prepareToSend()
  expect((await sent(await openTab(inga), "two")).key_id).toBe("0:1")
})

test("a device that lost its state replaces its leaf", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "one")
  await nils.sync.prepareToSend()
  const keys = new KeyDatabase("nils")
  const group = (await keys.group(KITCHEN)) as StoredGroup
  await keys.advance(KITCHEN, group, { ...group, state: null }, null)
  const message = await sent(nils, "two")
  expect(message.key_id).toBe("0:2")
  expect(await inga.read(message)).toBe("two")
  expect(server.groups.get(KITCHEN)?.leaves.length).toBe(2)
})

/** The server accepts a commit that no device can process. */
function breakGroup(): void {
  const group = server.groups.get(KITCHEN)
  const broken = { generation: 0, epoch: 1, commit: new Uint8Array(100), sinceSeq: server.lastSeq }
  server.logs.get(KITCHEN)?.push(broken)
  if (group) server.groups.set(KITCHEN, { ...group, epoch: 2, groupInfo: new Uint8Array(100) })
}

test("when no device can process the newest commit, the next sender creates the next generation", async () => {
  const [inga, nils] = await pair()
  const before = await sent(inga, "before")
  await nils.sync.prepareToSend()
  breakGroup()
  expect((await nils.sync.follow()).kind).toBe("untrusted")
  const after = await sent(inga, "after")
  expect(after.key_id).toBe("1:1")
  expect((await nils.sync.follow()).kind).toBe("ready")
  expect([await nils.read(after), await nils.read(before)]).toEqual(["after", "before"])
})

test("two devices that create the next generation at once end up in the same one", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "before")
  await nils.sync.prepareToSend()
  breakGroup()
  const [one, other] = await Promise.all([sent(inga, "from Inga"), sent(nils, "from Nils")])
  expect([one.key_id, other.key_id, server.groups.get(KITCHEN)?.generation]).toEqual(["1:1", "1:1", 1])
})

test("a server that allows no further generation today lets nothing be sent", async () => {
  const [inga] = await pair()
  await sent(inga, "before")
  breakGroup()
  server.beforeCommit = () => Promise.reject(new ApiError(422, "invalid_commit"))
  expect(await inga.send("after")).toEqual({ kind: "untrusted" })
  expect(await new KeyDatabase("inga").pendingCommits(KITCHEN)).toEqual([])
})

test("a server that breaks every generation is given one per message", async () => {
  const [inga] = await pair()
  await sent(inga, "before")
  breakGroup()
  server.afterCommit = () => {
    const group = server.groups.get(KITCHEN)
    if (group) server.groups.set(KITCHEN, { ...group, epoch: 2, groupInfo: new Uint8Array(100) })
  }
  expect(await inga.send("after")).toEqual({ kind: "untrusted" })
  expect(server.groups.get(KITCHEN)?.generation).toBe(1)
})

test("after a restore, the next generation is created, and no epoch is used twice", async () => {
  const [inga, nils] = await pair()
  const before = await sent(inga, "before")
  await nils.sync.prepareToSend()
  server.restore(KITCHEN)
  const after = await sent(nils, "after")
  expect(after.key_id).toBe("1:1")
  await inga.sync.prepareToSend()
  expect([await inga.read(after), await inga.read(before)]).toEqual(["after", "before"])
})

test("after a restore from before the group, the generations that the devices know are not used again", async () => {
  const [inga, nils] = await pair()
  const before = await sent(inga, "before")
  await nils.sync.prepareToSend()
  server.restore(KITCHEN)
  server.groups.delete(KITCHEN)
  server.logs.delete(KITCHEN)
  const after = await sent(nils, "after")
  expect(after.key_id).toBe("1:1")
  expect((await inga.sync.prepareToSend()).kind).toBe("ready")
  expect([await inga.read(after), await inga.read(before)]).toEqual(["after", "before"])
})

test("a device that its user did not certify is neither added nor accepted", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "one")
  await nils.sync.prepareToSend()
  const ghost = await signIn(server, "ghost", "ghost")
  const device = server.devices.get("ghost")
  if (device) server.devices.set("ghost", { ...device, userId: "nils" })
  await sent(inga, "two")
  expect(server.groups.get(KITCHEN)?.leaves.map(({ deviceId }) => deviceId)).not.toContain("ghost")
  expect(await ghost.engine.position(KITCHEN)).toBeNull()
})

test("a user who is added by the server only is not accepted", async () => {
  const [inga, nils] = await pair()
  await sent(inga, "one")
  await nils.sync.prepareToSend()
  await signIn(server, "mallory")
  const displayed = ["inga", "nils"]
  vi.spyOn(inga, "participants", "get").mockReturnValue(displayed)
  server.participants.get(KITCHEN)?.add("mallory")
  expect(await inga.send("two")).toEqual({ kind: "untrusted" })
})

test("a message that the server moves, changes or attributes to another is not shown", async () => {
  const [inga, nils] = await pair()
  const message = await sent(inga, "hello")
  await nils.sync.prepareToSend()
  expect(await nils.read(message)).toBe("hello")
  const changes: [Partial<ReceivedBody>, number][] = [
    [{ conversationId: "hall" }, 605],
    [{ userId: "nils" }, 603],
    [{ subject: "other" }, 603],
    [{ sender_device_id: "nils-phone" }, 603],
    [{ kind: "edit" }, 603],
    [{ key_id: "0:2" }, 605],
    [{ key_id: null }, 605],
    [{ encryption_version: "famichat.2" }, 606],
    [{ body: `A${message.body.slice(1)}` }, 603],
  ]
  for (const [change, code] of changes) expect(await nils.read({ ...message, ...change })).toBe(code)
})

test("random histories: each message is read by all who take part, also after an absence, and by no one else", async () => {
  const random = randomNumbers(1)
  const tabs = new Map<string, TestTab>()
  for (const name of NAMES) tabs.set(name, await signIn(server, name))
  const tabOf = (name: string) => tabs.get(name) as TestTab
  const members = server.participants.get(KITCHEN) as Set<string>
  /** Since which message each member takes part without interruption. */
  const since = new Map([...members].map((name) => [name, 0]))
  const history: { readonly message: ReceivedBody; readonly readers: ReadonlySet<string> }[] = []

  for (let round = 0; round < ROUNDS; round++) {
    const changed = NAMES[random(NAMES.length)] as string
    if (members.has(changed) && members.size > 2) members.delete(changed)
    else if (!members.has(changed)) since.set(changed, round)
    if (!members.has(changed) && since.get(changed) === round) members.add(changed)
    const sender = tabOf([...members][random(members.size)] as string)
    history.push({ message: await sent(sender, `message ${round}`), readers: new Set(members) })
    // Most devices are away. One that meets the group for the first time joins now, by its Welcome.
    await tabOf(changed).sync.catchUp()
    if (members.has(changed)) await tabOf(changed).sync.prepareToSend()
  }

  for (const name of NAMES) {
    if (members.has(name)) await tabOf(name).sync.prepareToSend()
    for (const [index, { message, readers }] of history.entries()) {
      const text = await tabOf(name).read(message)
      const hasTakenPartSince = members.has(name) && index >= (since.get(name) ?? 0)
      if (!readers.has(name)) expect(text, `${name}, message ${index}`).toBe(605)
      else if (hasTakenPartSince) expect(text, `${name}, message ${index}`).toBe(`message ${index}`)
    }
  }
}, 60_000)

const NAMES = ["inga", "nils", "maja", "lova", "emil", "astrid", "olle", "tove"]
const ROUNDS = process.env["FAMICHAT_TESTS_LONG"] ? 200 : 12

/** Park and Miller's generator: the same numbers in each run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}
