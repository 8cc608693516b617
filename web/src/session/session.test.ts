import { beforeEach, expect, test, vi } from "vitest"

import { ApiError, Unreachable } from "../api/http"
import { isSpent, markSpent } from "../device/cross-tab-lock"
import { storageChanged } from "../testing/browser"
import { ChatServer } from "../testing/chat-server"
import { useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { problem } from "../testing/http-server"
import { Session } from "./session"

useFakeBrowser()

const KEY = "famichat.session"
const NEARLY_EXPIRED_S = 60

let server: ChatServer

beforeEach(() => (server = new ChatServer()))

const refreshes = () => server.http.requestsTo("POST /sessions/refresh")
const tokensUsed = (route: string) => server.http.requestsTo(route).map(({ token }) => token)

/** What another tab stores after it has renewed the tokens. */
function storeInOtherTab(refreshToken: string): void {
  const stored = JSON.parse(localStorage.getItem(KEY) ?? "") as object
  const expires_at = Date.now() + 600_000
  const tokens = { access_token: `access-${refreshToken}`, refresh_token: refreshToken, expires_at }
  localStorage.setItem(KEY, JSON.stringify({ ...stored, ...tokens }))
}

test("a session is restored after a reload with the same token, user and device", () => {
  Session.start(server.sessionView())
  const restored = Session.restore()
  expect(restored?.token).toBe("access1")
  expect(restored?.user.id).toBe("maja")
  expect(restored?.deviceId).toBe("laptop")
})

test("no session is restored from empty or unreadable storage", () => {
  expect(Session.restore()).toBeUndefined()
  localStorage.setItem(KEY, "{")
  expect(Session.restore()).toBeUndefined()
})

test("a request carries the access token and returns the response", async () => {
  const session = Session.start(server.sessionView())
  expect(await session.request("GET", "/me")).toMatchObject({ user_id: "maja" })
  expect(tokensUsed("GET /me")).toEqual(["access1"])
  expect(refreshes()).toEqual([])
})

test("a token that is about to expire is refreshed before the request", async () => {
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  await session.request("GET", "/me")
  expect(refreshes().map(({ body }) => body)).toEqual([{ refresh_token: "refresh1", device_kind: "computer" }])
  expect(tokensUsed("GET /me")).toEqual(["access2"])
  expect(Session.restore()?.token).toBe("access2")
  expect(await isSpent(KEY, "refresh1")).toBe(true)
})

test("a token that was stored while the clock was ahead is refreshed", async () => {
  const session = Session.start(server.sessionView(10 * 365 * 24 * 3600))
  await session.ensureFresh()
  expect(refreshes()).toHaveLength(1)
})

test("requests at the same time share one refresh", async () => {
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  await Promise.all([session.request("GET", "/me"), session.request("GET", "/people")])
  expect(refreshes()).toHaveLength(1)
  expect([...tokensUsed("GET /me"), ...tokensUsed("GET /people")]).toEqual(["access2", "access2"])
})

test("a request that is refused for its token is repeated once with a new one", async () => {
  server.http.on("GET /me", ({ token }) => (token === "access1" ? problem(401, "invalid_token") : { ok: true }))
  const session = Session.start(server.sessionView())
  expect(await session.request("GET", "/me")).toEqual({ ok: true })
  expect(tokensUsed("GET /me")).toEqual(["access1", "access2"])
})

test("a wrong password is not repeated", async () => {
  server.http.on("POST /me/passkeys/options", () => problem(401, "invalid_credentials"))
  const session = Session.start(server.sessionView())
  const request = session.request("POST", "/me/passkeys/options", { password: "x" })
  await expect(request).rejects.toMatchObject({ status: 401, code: "invalid_credentials" })
  expect(server.http.requests).toHaveLength(1)
})

test("a refused refresh ends the session once and clears the stored tokens", async () => {
  server.http.on("POST /sessions/refresh", () => problem(401, "invalid_token"))
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  session.onEnded = vi.fn()
  const { onEnded } = session
  await expect(session.ensureFresh()).rejects.toBeInstanceOf(ApiError)
  expect(onEnded).toHaveBeenCalledExactlyOnceWith(false)
  expect(localStorage.getItem(KEY)).toBeNull()
  session.discard()
  expect(onEnded).toHaveBeenCalledTimes(1)
})

test("an unreachable server ends no session", async () => {
  server.http.reachable = false
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  session.onEnded = vi.fn()
  await expect(session.ensureFresh()).rejects.toBeInstanceOf(Unreachable)
  expect(session.onEnded).not.toHaveBeenCalled()
  server.http.reachable = true
  await session.ensureFresh()
  expect(session.token).toBe("access2")
})

test("tokens that another tab renewed are used without another refresh", async () => {
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  storeInOtherTab("other")
  await session.request("GET", "/me")
  expect(tokensUsed("GET /me")).toEqual(["access-other"])
  expect(refreshes()).toEqual([])
})

test("a storage event brings in the tokens of another tab, other entries do not", () => {
  const session = Session.start(server.sessionView())
  storeInOtherTab("other")
  storageChanged("theme")
  expect(session.token).toBe("access1")
  storageChanged(KEY)
  expect(session.token).toBe("access-other")
})

test("a refresh token that another tab has spent is not used again, but awaited", async () => {
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  await markSpent(KEY, "refresh1")
  const fresh = session.ensureFresh()
  await pass(100)
  expect(refreshes()).toEqual([])
  storeInOtherTab("other")
  await pass(20)
  await fresh
  expect(session.token).toBe("access-other")
  expect(refreshes()).toEqual([])
})

test("tokens of another tab that do not arrive within ten seconds are lost, and the old one is used again", async () => {
  const session = Session.start(server.sessionView(NEARLY_EXPIRED_S))
  await markSpent(KEY, "refresh1")
  const fresh = session.ensureFresh()
  await settle()
  await pass(10_100)
  await fresh
  expect(refreshes().map(({ body }) => (body as { refresh_token: string }).refresh_token)).toEqual(["refresh1"])
})

test("a sign-out in another tab ends the session here, and leaves a new sign-in stored", () => {
  const session = Session.start(server.sessionView())
  session.onEnded = vi.fn()
  const { onEnded } = session
  Session.start({ ...server.sessionView(), device_id: "another" })
  storageChanged(null)
  expect(onEnded).toHaveBeenCalledTimes(1)
  expect(Session.restore()?.deviceId).toBe("another")
})

test("signing out revokes the device on the server and clears the tokens", async () => {
  const session = Session.start(server.sessionView())
  session.onEnded = vi.fn()
  const { onEnded } = session
  await session.end()
  expect(server.http.requestsTo("DELETE /sessions/current")).toHaveLength(1)
  expect(onEnded).toHaveBeenCalledExactlyOnceWith(true)
  expect(Session.restore()).toBeUndefined()
})

test("signing out clears the tokens also without a server", async () => {
  server.http.reachable = false
  await Session.start(server.sessionView()).end()
  expect(Session.restore()).toBeUndefined()
})

test("signing out reports an error that is not the server's", async () => {
  const session = Session.start(server.sessionView())
  session.request = () => Promise.reject(new RangeError("a bug"))
  await expect(session.end()).rejects.toBeInstanceOf(RangeError)
  expect(Session.restore()).toBeUndefined()
})

test("chunks, pictures and downloads carry the access token", async () => {
  server.http.on("PATCH /attachments/a", ({ headers }) => ({ offset: headers.get("upload-offset") }))
  server.http.on("PUT /me/picture", () => ({ picture: "/p" }))
  server.http.on("GET /people/inga/picture", () => new Response("bytes"))
  const session = Session.start(server.sessionView())
  expect(await session.sendChunk("/attachments/a", 7, new Blob(["x"]), new AbortController().signal)).toEqual({
    offset: "7",
  })
  expect(await session.putPicture("/me/picture", new Blob(["x"]))).toEqual({ picture: "/p" })
  const bytes = await session.download("/api/v1/people/inga/picture")
  expect(new TextDecoder().decode(bytes)).toBe("bytes")
  await eventually(() => expect(server.http.requests.map(({ token }) => token)).toEqual(Array(3).fill("access1")))
})
