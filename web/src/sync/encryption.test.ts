// @vitest-environment happy-dom
import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { ApiError, Unreachable } from "../api/http"
import type { Message } from "../api/types"
import { DeviceEngine } from "../crypto/device-engine"
import type { Sealed } from "../crypto/seal"
import { conversation, message } from "../models/fixtures"
import { KITCHEN } from "../testing/encrypted-family"
import { SimulatedServer } from "../testing/group-server"
import type { Session } from "../session/session"
import { Encryption } from "./encryption.svelte"
import * as requests from "./group-requests"

vi.mock("../device/engine", () => ({
  startEngine: async (...args: [string, string, boolean]) => {
    const engine = await DeviceEngine.open(...args)
    return Object.assign(engine, { terminate: () => void engine.close() })
  },
}))

let server: SimulatedServer
/** The policies that the server names. */
let policies: Record<string, "required" | "optional">
/** Whether requests get no response. */
let isOffline = false
const failures: (readonly [string, number])[] = []
const grown: string[] = []

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  localStorage.clear()
  failures.length = grown.length = 0
  isOffline = false
  policies = { [KITCHEN]: "required" }
  vi.spyOn(Math, "random").mockReturnValue(0)
  server = new SimulatedServer()
  server.participants.set(KITCHEN, new Set(["inga", "nils"]))
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

/** The encryption of a signed-in device, as after a reload. */
function signedIn(userId: string, deviceId = `${userId}-phone`): Encryption {
  const online = <Result>(run: () => Result) => {
    if (isOffline) throw new Unreachable("offline")
    return run()
  }
  const packages: Uint8Array[] = []
  vi.spyOn(requests, "GroupRequests").mockImplementation(
    class {
      constructor() {
        return Object.assign(server.as(deviceId), {
          user: async (id: string) => online(() => server.listed(id)),
          publishKeys: async (keys: Parameters<SimulatedServer["publish"]>[2]) =>
            online(() => server.publish(userId, deviceId, keys, packages, new Uint8Array())),
          publishKeyPackages: async (more: Uint8Array[], lastResort: Uint8Array | null) => {
            const device = server.devices.get(deviceId)
            packages.push(...more)
            if (device && lastResort) device.lastResort = lastResort
            return packages.length
          },
        })
      }
    } as never,
  )
  return new Encryption({
    session: { user: { id: userId, username: userId }, deviceId } as Session,
    info: (id) =>
      conversation(id, {
        encryption_policy: policies[id] ?? "optional",
        members: [...(server.participants.get(id) ?? [])].map((user_id) => ({ user_id, role: "member" })),
      }),
    lastSeq: () => server.lastSeq,
    refresh: async () => undefined,
    hasMoreKeys: (id) => grown.push(id),
    report: (_id, messageId, code) => failures.push([messageId, code]),
  })
}

function stored(userId: string, sealed: Sealed, change: Partial<Message> = {}): Message {
  return message(1, { conversation_id: KITCHEN, user_id: userId, client_id: "c1", ...sealed, ...change })
}

const send = (by: Encryption, text: string) => by.encrypt("message", KITCHEN, "c1", { text })

async function pair() {
  const inga = signedIn("inga")
  await inga.start()
  const nils = signedIn("nils")
  await nils.start()
  return { inga, nils }
}

test("a message is encrypted by one device and read by the others", async () => {
  const { inga, nils } = await pair()
  const sealed = await send(inga, "Dinner at six?")
  expect(sealed.body).not.toContain("Dinner")
  expect(inga.isOwn(sealed)).toBe(true)
  expect(await nils.decrypt(stored("inga", sealed))).toEqual({ kind: "text", text: "Dinner at six?" })
  expect(inga.state(KITCHEN)).toEqual({ kind: "ready", since: 0 })
})

test("a forwarded message is read without its mark", async () => {
  const { inga, nils } = await pair()
  const sealed = await send(inga, "\u21AA\uFE0E At noon.")
  expect(await nils.decrypt(stored("inga", sealed))).toEqual({ kind: "text", text: "At noon.", forwarded: true })
})

test("nothing is encrypted before all participants have keys", async () => {
  const inga = signedIn("inga")
  await expect(send(inga, "hello")).rejects.toMatchObject({ code: "encryption_not_ready" })
  await vi.waitFor(() => expect(inga.state(KITCHEN)).toEqual({ kind: "waiting", for: ["nils"] }))
})

test("a second device of a user is pending, and decrypts nothing", async () => {
  const { inga, nils } = await pair()
  const sealed = await send(nils, "hello")
  vi.stubGlobal("indexedDB", new IDBFactory())
  const tablet = signedIn("inga", "inga-tablet")
  await tablet.follow(KITCHEN)
  expect(tablet.state(KITCHEN)).toEqual({ kind: "pending" })
  await expect(send(tablet, "hello")).rejects.toMatchObject({ code: "device_pending" })
  expect((await tablet.decrypt(stored("nils", sealed))).kind).not.toBe("text")
  await inga.stop()
})

test("after signing in again in the same browser, the user is a member again and reads earlier messages", async () => {
  const { inga, nils } = await pair()
  const sealed = await send(nils, "hello")
  expect(await inga.decrypt(stored("nils", sealed))).toMatchObject({ text: "hello" })
  await inga.stop()
  const again = signedIn("inga", "inga-again")
  expect(await again.decrypt(stored("nils", sealed))).toMatchObject({ text: "hello" })
  expect((await send(again, "I am back")).sender_device_id).toBe("inga-again")
})

test("a device that has its keys reads without the server", async () => {
  const { nils } = await pair()
  const sealed = await send(nils, "hello")
  isOffline = true
  expect(await signedIn("nils").decrypt(stored("nils", sealed))).toMatchObject({ text: "hello" })
})

test("a failure shows nothing of the content, and is reported once", async () => {
  const { inga, nils } = await pair()
  const forged = stored("nils", await send(inga, "hello"))
  for (const _ of [1, 2]) expect(await nils.decrypt(forged)).toEqual({ kind: "locked" })
  expect(failures).toEqual([["m1", 603]])
})

test("a message of an epoch before this device came is named as such, and not reported", async () => {
  const { inga, nils } = await pair()
  const sealed = await send(inga, "hello")
  await nils.follow(KITCHEN)
  expect(await nils.decrypt(stored("inga", sealed, { key_id: "0:0" }))).toEqual({ kind: "before" })
  expect(failures).toEqual([])
})

test("ciphertext of other programs needs no keys to be refused", async () => {
  const other = { body: "q83v", encryption_flag: true, encryption_version: "v1", key_id: "K", protocol: null }
  expect(await signedIn("inga").decrypt(message(1, other))).toEqual({ kind: "locked" })
  expect(server.devices.size).toBe(0)
})

test("a conversation that was encrypted once stays so, whatever the server says", async () => {
  const { inga } = await pair()
  server.participants.set("hall", new Set(["inga"]))
  expect(inga.isRequired("hall")).toBe(false)
  await inga.encrypt("message", "hall", "c1", { text: "hello" })
  expect(inga.isRequired("hall")).toBe(true)
  expect(signedIn("inga").isRequired("hall")).toBe(true)
  expect(inga.isForged(message(1, { conversation_id: "hall" }))).toBe(true)
  expect(inga.isForged(message(1, { conversation_id: "porch" }))).toBe(false)
})

test("a device that has read encrypted messages sends no plaintext, though the server always called it optional", async () => {
  const { inga, nils } = await pair()
  const sealed = await send(inga, "hello")
  policies = {}
  expect(nils.isRequired(KITCHEN)).toBe(false)
  expect(await nils.decrypt(stored("inga", sealed, { seq: 4 }))).toMatchObject({ text: "hello" })
  expect(nils.isRequired(KITCHEN)).toBe(true)
  expect(nils.isForged(message(3, { conversation_id: KITCHEN }))).toBe(false)
  expect(nils.isForged(message(5, { conversation_id: KITCHEN }))).toBe(true)
  expect(grown).toContain(KITCHEN)
})

test("an encrypted edit of an earlier plaintext message does not hide the plaintext between them", async () => {
  const { inga, nils } = await pair()
  server.lastSeq = 7
  await send(inga, "hello")
  await nils.follow(KITCHEN)
  const edited = await inga.encrypt("edit", KITCHEN, "m3", { text: "corrected", at: 10 })
  const message = stored("inga", edited, { message_id: "m3", seq: 3, edited_at: "2026-11-30T18:00:00Z" })
  expect(await nils.decrypt(message)).toMatchObject({ text: "corrected" })
  const plain = (seq: number) => ({ conversation_id: KITCHEN, seq, encryption_flag: false })
  expect([5, 7, 8].map((seq) => nils.isForged(plain(seq)))).toEqual([false, false, true])
})

test("what was written to be encrypted is never sent otherwise, also before all participants have keys", async () => {
  const inga = signedIn("inga")
  await expect(send(inga, "hello")).rejects.toMatchObject({ code: "encryption_not_ready" })
  policies = {}
  expect([inga.isRequired(KITCHEN), signedIn("inga").isRequired(KITCHEN)]).toEqual([true, true])
  expect(inga.isForged(message(1, { conversation_id: KITCHEN }))).toBe(false)
})

test("a conversation that was opened while it required encryption requires it forever", async () => {
  const inga = signedIn("inga")
  await inga.follow(KITCHEN)
  policies = {}
  expect(inga.isRequired(KITCHEN)).toBe(true)
})

test("a device knows since when a conversation is encrypted, also while a former participant can still read it", async () => {
  const { inga, nils } = await pair()
  server.lastSeq = 7
  await send(inga, "hello")
  server.participants.get(KITCHEN)?.delete("inga")
  await nils.follow(KITCHEN)
  expect(nils.state(KITCHEN)).toBeUndefined()
  expect([7, 8].map((seq) => nils.isForged(message(seq, { conversation_id: KITCHEN })))).toEqual([false, true])
})

test("an earlier version of an encrypted message that is not encrypted is not shown", async () => {
  const { inga } = await pair()
  const sealed = await send(inga, "hello")
  await inga.follow(KITCHEN)
  const forged = stored("inga", sealed, { encryption_flag: false, body: "forged" })
  expect(await inga.decryptVersion(forged, "message")).toEqual({ kind: "locked" })
})

test("a message that the server shows a second time is refused and reported; a replayed edit is only refused", async () => {
  const { inga, nils } = await pair()
  const message = stored("inga", await send(inga, "yes"))
  expect(await nils.decrypt(message)).toMatchObject({ text: "yes" })
  expect(await nils.decrypt({ ...message, message_id: "m2" })).toEqual({ kind: "locked" })
  const edited = await inga.encrypt("edit", KITCHEN, "m1", { text: "no", at: 10 })
  expect(await nils.decrypt({ ...message, ...edited, edited_at: "2026-11-30T18:00:00Z" })).toMatchObject({ text: "no" })
  expect(await nils.decrypt(message)).toEqual({ kind: "locked" })
  expect(await nils.decryptVersion(message, "message")).toMatchObject({ text: "yes" })
  expect(failures).toEqual([["m2", 603]])
})

test("the browser is asked once to keep the keys", async () => {
  const persist = vi.fn(async () => true)
  vi.stubGlobal("navigator", Object.create(navigator, { storage: { value: { persist } } }))
  await signedIn("inga").start()
  await signedIn("inga").start()
  expect(persist).toHaveBeenCalledOnce()
})

test("a browser that stores no more remembers what is encrypted until the page is closed", async () => {
  const inga = signedIn("inga")
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("no", "QuotaExceededError")
  })
  await inga.follow(KITCHEN)
  policies = {}
  expect(inga.isRequired(KITCHEN)).toBe(true)
})

test("a browser that cannot store keys says so", async () => {
  vi.stubGlobal("indexedDB", {
    open: () => {
      throw new Error("refused")
    },
  })
  await expect(send(signedIn("inga"), "hello")).rejects.toEqual(new ApiError(0, "encryption_unavailable"))
})

test("new keys of a conversation are announced", async () => {
  const { inga, nils } = await pair()
  await send(inga, "hello")
  await nils.follow(KITCHEN)
  expect(grown).toContain(KITCHEN)
  await nils.publishKeyPackages()
})
