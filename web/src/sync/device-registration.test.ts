import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { request } from "../api/http"
import { DeviceEngine } from "../crypto/device-engine"
import { HttpServer, problem } from "../testing/http-server"
import { publishKeyPackages, registerDevice } from "./device-registration"
import { GroupRequests } from "./group-requests"

const requests = new GroupRequests((method, path, body) => request(method, path, body, "token"))
const open = (hasAccountKey: boolean) => DeviceEngine.open("inga", "phone", hasAccountKey)
let http: HttpServer

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  vi.stubGlobal("location", new URL("https://chat.example/"))
  http = new HttpServer()
  http.install()
  http.on("GET /users/inga/keys", () => ({ accounts: [], devices: [] }))
  http.on("PUT /me/keys", () => ({ account_version: 1 }))
})
afterEach(() => vi.unstubAllGlobals())

const published = () =>
  http.requestsTo("PUT /me/keys").map(({ body }) => body as { account?: object; certificate?: string })

test("the first device of a user creates the account key and certifies itself", async () => {
  await registerDevice(await open(false), "inga", requests)
  expect(published()).toMatchObject([{ account: { version: 1 }, certificate: expect.any(String) as string }])
})

test("a later device is pending, and publishes nothing but its own keys", async () => {
  http.on("GET /users/inga/keys", () => ({ accounts: [{ version: 1, public_key: "Aw" }], devices: [] }))
  await registerDevice(await open(true), "inga", requests)
  expect(Object.keys(published()[0] ?? {})).toEqual(["signature_key", "hpke_key"])
})

test("of two devices that create the account key at once, the second becomes pending", async () => {
  http.on("PUT /me/keys", ({ body }) =>
    "account" in (body as object) ? problem(422, "invalid_keys") : { account_version: null },
  )
  const engine = await open(false)
  await registerDevice(engine, "inga", requests)
  expect(published().map((keys) => "account" in keys)).toEqual([true, false])
  expect((await engine.publishedKeys()).account).toBeNull()
})

test("a server that refuses an account key that it accepted before does not make the device pending", async () => {
  const engine = await open(false)
  const { account, certificate, signatureKey, hpkeKey } = await engine.publishedKeys()
  const device = { userId: "inga", deviceId: "phone", signatureKey, hpkeKey, certificate, accountVersion: 1 }
  await engine.learn([{ userId: "inga", accounts: account ? [account] : [], devices: [device] }])
  http.on("PUT /me/keys", () => problem(422, "invalid_keys"))
  await expect(registerDevice(engine, "inga", requests)).rejects.toThrow("invalid_keys")
  expect((await engine.publishedKeys()).account).not.toBeNull()
})

test("a device whose browser lost its keys is pending, though the server keeps the former ones", async () => {
  http.on("PUT /me/keys", () => problem(422, "invalid_keys"))
  const lost = await open(true)
  await registerDevice(lost, "inga", requests)
  expect((await lost.publishedKeys()).certificate).toBeNull()
  expect(published().length).toBe(1)
})

test("another error is not taken for that", async () => {
  http.on("PUT /me/keys", () => problem(403, "forbidden"))
  await expect(registerDevice(await open(false), "inga", requests)).rejects.toThrow("forbidden")
  expect((await (await open(true)).publishedKeys()).account).not.toBeNull()
})

test("key packages are published when few are left", async () => {
  let count = 9
  http.on("PUT /me/key-packages", () => ({ count }))
  const engine = await open(false)
  await publishKeyPackages(engine, requests)
  const sent = () => http.requestsTo("PUT /me/key-packages").map(({ body }) => body as { packages: string[] })
  expect(sent().map(({ packages }) => new Set(packages).size)).toEqual([0, 20])
  count = 10
  await publishKeyPackages(engine, requests)
  expect(sent().length).toBe(3)
})
