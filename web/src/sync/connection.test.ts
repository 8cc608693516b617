import { expect, test, vi } from "vitest"

import { Session } from "../session/session"
import { ChatServer } from "../testing/chat-server"
import { startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { problem } from "../testing/http-server"

useFakeBrowser()

const tokens = (server: ChatServer) => server.phoenix.sockets.map(({ token }) => token)
const refreshes = (server: ChatServer) => server.http.requestsTo("POST /sessions/refresh")

test("the socket connects with the access token", async () => {
  const server = new ChatServer()
  const client = await startClient(server)
  expect(client.connection).toBe("open")
  expect(server.phoenix.sockets[0]?.url).toBe("wss://chat.example/socket/websocket?vsn=2.0.0")
  expect(tokens(server)).toEqual(["access1"])
})

test("a token that is about to expire is refreshed before the socket connects", async () => {
  const server = new ChatServer()
  Session.start(server.sessionView(60))
  await startClient(server)
  expect(tokens(server)).toEqual(["access2"])
})

test("the token is refreshed while the connection stays open, and the next connection uses it", async () => {
  const server = new ChatServer()
  await startClient(server)
  await pass(480_000)
  expect(refreshes(server)).toEqual([])
  await pass(60_000)
  expect(refreshes(server)).toHaveLength(1)
  server.phoenix.drop()
  await pass(300)
  expect(tokens(server)).toEqual(["access1", "access2"])
})

test("a lost connection is shown, and is back after a quarter of a second", async () => {
  const server = new ChatServer()
  const client = await startClient(server)
  server.phoenix.drop()
  await settle()
  expect(client.connection).toBe("lost")
  await pass(200)
  expect(client.connection).toBe("lost")
  await pass(100)
  expect(client.connection).toBe("open")
})

test("attempts to reconnect become rarer, up to one in ten seconds", async () => {
  const server = new ChatServer()
  await startClient(server)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await settle()
  const attempts: number[] = []
  for (const ms of [250, 500, 1_000, 2_000, 5_000, 10_000, 10_000]) {
    await pass(ms)
    attempts.push(server.phoenix.sockets.length)
  }
  expect(attempts).toEqual([2, 3, 4, 5, 6, 7, 8])
})

test("a client whose WebSocket has worked does not fall back to long polling", async () => {
  const server = new ChatServer()
  await startClient(server)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await pass(60_000)
  expect(server.http.requests.filter(({ path }) => path.includes("longpoll"))).toEqual([])
})

test("a client whose WebSocket never works falls back to long polling", async () => {
  const server = new ChatServer()
  server.phoenix.reachable = false
  const client = await startDisconnected(server)
  await pass(10)
  expect(server.http.requests.some(({ path }) => path.includes("longpoll"))).toBe(true)
  expect(client.connection).toBe("connecting")
})

test("after two failed connections the client asks the server whether it is still signed in", async () => {
  const server = new ChatServer()
  const client = await startClient(server)
  client.session.onEnded = vi.fn()
  const { onEnded } = client.session
  vi.spyOn(console, "warn").mockImplementation(() => undefined)
  server.http.on("GET /me", () => problem(401, "invalid_token"))
  server.http.on("POST /sessions/refresh", () => problem(401, "invalid_token"))
  server.phoenix.reachable = false
  server.phoenix.drop()
  await settle()
  expect(onEnded).not.toHaveBeenCalled()
  await pass(300)
  await eventually(() => expect(onEnded).toHaveBeenCalledTimes(1))
})

test("a refresh that finds no server is quiet, and one that is refused is logged", async () => {
  const server = new ChatServer()
  Session.start(server.sessionView(60))
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined)
  server.http.reachable = false
  await startDisconnected(server)
  expect(warn).not.toHaveBeenCalled()
  server.http.reachable = true
  server.http.on("POST /sessions/refresh", () => problem(503, "unavailable"))
  await pass(30_000)
  expect(warn).toHaveBeenCalled()
})

test("a stopped client closes its socket and refreshes nothing more", async () => {
  const server = new ChatServer()
  const client = await startClient(server)
  await client.stop()
  await pass(900_000)
  expect(server.phoenix.sockets).toHaveLength(1)
  expect(server.phoenix.sockets[0]?.readyState).toBe(3)
  expect(refreshes(server)).toEqual([])
})
