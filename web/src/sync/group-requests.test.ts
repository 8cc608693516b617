import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { request } from "../api/http"
import { HttpServer, problem } from "../testing/http-server"
import { GroupRequests } from "./group-requests"

const http = new HttpServer()
const requests = new GroupRequests((method, path, body) => request(method, path, body, "token"))
const bytes = (...values: number[]) => Uint8Array.of(...values)

beforeEach(() => {
  vi.stubGlobal("location", new URL("https://chat.example/"))
  http.install()
})
afterEach(() => vi.unstubAllGlobals())

const bodyOf = (route: string) => http.requestsTo(route).at(-1)?.body

test("the MLS group of a conversation", async () => {
  const view = {
    ready: true,
    waiting_for: [],
    stale_leaves: [2],
    missing_devices: [{ user_id: "nils", device_id: "a" }],
  }
  http.on("GET /conversations/:id/mls", () => ({ generation: 1, epoch: 4, since_seq: 17, group_info: "AQI", ...view }))
  expect(await requests.group("kitchen")).toEqual({
    generation: 1,
    epoch: 4,
    sinceSeq: 17,
    groupInfo: bytes(1, 2),
    ready: true,
    waitingFor: [],
    staleLeaves: [2],
    missingDevices: [{ userId: "nils", deviceId: "a" }],
  })
  http.on("GET /conversations/:id/mls", () => {
    return { generation: null, epoch: null, since_seq: null, group_info: null, ...view }
  })
  expect(await requests.group("kitchen")).toMatchObject({ generation: null, epoch: null, groupInfo: null })
})

test("a commit is listed by the epoch that it began, and applied to the one that it ends", async () => {
  http.on("GET /conversations/:id/mls/commits", ({ query }) => {
    expect(query).toContain("generation=1&after_epoch=4")
    return { commits: [{ epoch: 5, commit: "Aw", user_id: "nils", device_id: "a", since_seq: 20 }] }
  })
  expect(await requests.commits("kitchen", 1, 4)).toEqual([{ epoch: 4, commit: bytes(3), sinceSeq: 20 }])
})

test("a creation has no epoch, and a commit without added devices no Welcome", async () => {
  http.on("POST /conversations/:id/mls", () => ({ generation: 0, epoch: 1 }))
  http.on("POST /conversations/:id/mls/commits", () => ({ generation: 0, epoch: 8 }))
  const sent = { generation: 0, commit: bytes(1), groupInfo: bytes(3), unusable: ["a"] }
  await requests.create("kitchen", { ...sent, epoch: 0, welcome: bytes(2) })
  const common = { generation: 0, commit: "AQ", group_info: "Aw", unusable_key_packages: ["a"] }
  expect(bodyOf("POST /conversations/kitchen/mls")).toEqual({ ...common, welcome: "Ag" })
  await requests.commit("kitchen", { ...sent, epoch: 7, welcome: null })
  expect(bodyOf("POST /conversations/kitchen/mls/commits")).toEqual({ ...common, epoch: 7 })
})

test("key packages and Welcomes", async () => {
  http.on("POST /conversations/:id/mls/key-packages", () => {
    return { key_packages: [{ user_id: "nils", device_id: "a", key_package: "Ag" }] }
  })
  http.on("GET /me/welcomes", () => {
    return { welcomes: [{ id: "w", conversation_id: "kitchen", generation: 0, epoch: 1, welcome: "AQ" }] }
  })
  http.on("DELETE /me/welcomes/:id", () => new Response(null, { status: 204 }))
  http.on("PUT /me/key-packages", () => ({ count: 1 }))
  expect(await requests.keyPackages("kitchen", true)).toEqual([{ userId: "nils", deviceId: "a", body: bytes(2) }])
  expect(bodyOf("POST /conversations/kitchen/mls/key-packages")).toEqual({ new_group: true })
  expect(await requests.welcomes()).toEqual([{ id: "w", conversationId: "kitchen", generation: 0, body: bytes(1) }])
  await requests.confirmWelcome("w")
  expect(http.requestsTo("DELETE /me/welcomes/w").length).toBe(1)
  expect(await requests.publishKeyPackages([bytes(1)], bytes(2))).toBe(1)
  expect(bodyOf("PUT /me/key-packages")).toEqual({ packages: ["AQ"], last_resort: "Ag" })
  await requests.publishKeyPackages([], null)
  expect(bodyOf("PUT /me/key-packages")).toEqual({ packages: [] })
})

test("the keys of a user, of whom nothing is known if the server does not show them", async () => {
  const device = { device_id: "a", signature_key: "AQ", hpke_key: "Ag", published_at: "2026-11-30T12:00:00Z" }
  http.on("GET /users/:id/keys", ({ path }) => {
    if (path.includes("lova")) return problem(404, "not_found")
    return {
      accounts: [{ version: 1, public_key: "Aw", hpke_key: "BA", rotation_signature: null }],
      devices: [
        { ...device, certificate: "BQ", account_version: 1 },
        { ...device, device_id: "b", certificate: null, account_version: null },
      ],
    }
  })
  const keys = { userId: "nils", signatureKey: bytes(1), hpkeKey: bytes(2) }
  expect(await requests.users(["nils", "lova"])).toEqual([
    {
      userId: "nils",
      accounts: [{ version: 1, publicKey: bytes(3) }],
      devices: [
        { ...keys, deviceId: "a", certificate: bytes(5), accountVersion: 1 },
        { ...keys, deviceId: "b", certificate: null, accountVersion: 0 },
      ],
    },
    { userId: "lova", accounts: [], devices: [] },
  ])
  http.on("GET /users/:id/keys", () => problem(500, "internal_error"))
  await expect(requests.user("nils")).rejects.toThrow("internal_error")
})
