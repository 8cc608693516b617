import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { KITCHEN, readable, received, signIn, type TestTab } from "../testing/encrypted-family"
import { SimulatedServer } from "../testing/group-server"
import type { ReceivedBody } from "../crypto/device-engine"
import { EncryptedConversations } from "./encrypted-conversations"

let server: SimulatedServer

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  server = new SimulatedServer()
  server.participants.set(KITCHEN, new Set(["inga", "nils"]))
})
afterEach(() => vi.unstubAllGlobals())

const noPause = async (_atMost: number): Promise<void> => undefined

function conversationsOf(tab: TestTab, groups = server.as(tab.deviceId), pause = noPause): EncryptedConversations {
  return new EncryptedConversations(
    async () => tab.engine,
    groups,
    () => tab.participants,
    () => 0,
    pause,
  )
}

async function pair() {
  const [inga, nils] = [await signIn(server, "inga"), await signIn(server, "nils")]
  return { inga, nils, ingas: conversationsOf(inga), nilss: conversationsOf(nils) }
}

async function sent(by: EncryptedConversations, userId: string, text: string): Promise<ReceivedBody> {
  const body = await by.encrypt("message", KITCHEN, "c1", { text })
  if (!("body" in body)) throw new Error(`not sent: ${body.kind}`)
  return received(KITCHEN, userId, "c1", body)
}

test("a device that only reads joins the group when it meets the first message", async () => {
  const { ingas, nilss } = await pair()
  const message = await sent(ingas, "inga", "hello")
  expect(readable(await nilss.decrypt(message))).toBe("hello")
})

test("a page of messages of a new epoch is followed once, and earlier epochs not at all", async () => {
  const { ingas, nils } = await pair()
  const message = await sent(ingas, "inga", "hello")
  const groups = server.as(nils.deviceId)
  const group = vi.spyOn(groups, "group")
  const nilss = conversationsOf(nils, groups)
  const texts = await Promise.all(Array.from({ length: 20 }, () => nilss.decrypt(message)))
  expect(texts.map(readable)).toEqual(Array(20).fill("hello"))
  const requests = group.mock.calls.length
  expect(requests).toBeLessThan(4)
  expect(readable(await nilss.decrypt({ ...message, key_id: "0:0" }))).toBe(605)
  expect(group.mock.calls.length).toBe(requests)
})

test("the keys of a device that is new to this one are fetched once to verify its message", async () => {
  const { ingas, nils } = await pair()
  const message = await sent(ingas, "inga", "hello")
  const groups = server.as(nils.deviceId)
  const users = vi.spyOn(groups, "users")
  const nilss = conversationsOf(nils, groups)
  await nilss.follow(KITCHEN)
  users.mockClear()
  expect(readable(await nilss.decrypt({ ...message, sender_device_id: "ghost" }))).toBe(603)
  expect(readable(await nilss.decrypt(message))).toBe("hello")
  expect(users).not.toHaveBeenCalled()
})

test("who opens a conversation first in which all have keys creates its group, and others join it", async () => {
  const { ingas, nilss } = await pair()
  expect((await nilss.follow(KITCHEN)).kind).toBe("ready")
  expect((await ingas.follow(KITCHEN)).kind).toBe("ready")
  expect((await sent(ingas, "inga", "hello")).key_id).toBe("0:1")
})

test("after a restore of the server, only a sender creates the next group", async () => {
  const { ingas, nilss } = await pair()
  await nilss.follow(KITCHEN)
  server.restore(KITCHEN)
  expect((await nilss.follow(KITCHEN)).kind).toBe("waiting")
  expect((await sent(ingas, "inga", "hello")).key_id).toBe("1:1")
})

test("a reader reconciles the roster once, some seconds after it noticed", async () => {
  const { ingas, nils } = await pair()
  await sent(ingas, "inga", "hello")
  const pauses: [atMost: number, end: () => void][] = []
  const pause = (atMost: number) => new Promise<void>((end) => pauses.push([atMost, end]))
  const nilss = conversationsOf(nils, server.as(nils.deviceId), pause)
  await signIn(server, "maja")
  server.participants.get(KITCHEN)?.add("maja")
  for (const _ of [1, 2]) expect((await nilss.follow(KITCHEN)).kind).toBe("ready")
  expect([server.groups.get(KITCHEN)?.epoch, pauses.map(([atMost]) => atMost)]).toEqual([1, [10_000]])
  pauses[0]?.[1]()
  await vi.waitFor(() => expect(server.groups.get(KITCHEN)?.epoch).toBe(2))
  expect(server.missing(KITCHEN)).toEqual([])
  await nilss.follow(KITCHEN)
  expect(pauses.length).toBe(1)
})

test("a conversation that is not ready says for whom it waits", async () => {
  const ingas = conversationsOf(await signIn(server, "inga"))
  expect(await ingas.encrypt("message", KITCHEN, "c1", { text: "hello" })).toEqual({ kind: "waiting", for: ["nils"] })
})
