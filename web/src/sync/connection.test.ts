import { describe, expect, test, vi } from "vitest"

import { Session } from "../session/session"
import { ChatServer } from "../testing/chat-server"
import { conversationOf, startClient, startDisconnected, useFakeBrowser } from "../testing/client"
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
  expect(server.http.requestsTo("GET /socket/longpoll")).toEqual([])
})

test("a client whose WebSocket never works although HTTP does falls back to long polling", async () => {
  const server = new ChatServer()
  const polls = () => server.http.requestsTo("GET /socket/longpoll")
  server.http.on("GET /socket/longpoll", () => ({ status: 410, token: "t", messages: [] }))
  server.phoenix.silent = true
  await startDisconnected(server)
  await pass(2_000)
  expect(polls()).toEqual([])
  await pass(8_000)
  expect(polls().length).toBeGreaterThan(0)
})

test("a client whose first connections are refused because it reloads too often stays with WebSockets", async () => {
  const server = new ChatServer()
  server.phoenix.reachable = false
  const client = await startDisconnected(server)
  await pass(900)
  server.phoenix.reachable = true
  await pass(2_000)
  expect(client.connection).toBe("open")
  expect(server.http.requestsTo("GET /socket/longpoll")).toEqual([])
})

test("a client that starts without a network uses a WebSocket once the network is back", async () => {
  const server = new ChatServer()
  server.phoenix.reachable = server.http.reachable = false
  const client = await startDisconnected(server)
  await pass(10_000)
  server.phoenix.reachable = server.http.reachable = true
  dispatchEvent(new Event("online"))
  await pass(100)
  expect(client.connection).toBe("open")
  expect(server.http.requestsTo("GET /socket/longpoll")).toEqual([])
})

describe("after a silent network change", () => {
  const messages = (server: ChatServer) => server.conversations.get("kitchen")?.messages ?? []

  test("a message that the user writes is stored within 5 seconds, once", async () => {
    const server = new ChatServer()
    server.add("kitchen")
    const client = await startClient(server)
    server.phoenix.silence()
    await client.send("kitchen", "Is there milk?")
    await pass(5_000)
    expect(messages(server).map(({ body }) => body)).toEqual(["Is there milk?"])
    expect(client.outbox).toEqual([])
  })

  const signals: readonly (readonly [string, () => EventTarget])[] = [
    ["online", () => globalThis as unknown as EventTarget],
    ["pageshow", () => globalThis as unknown as EventTarget],
    ["visibilitychange", () => globalThis as unknown as EventTarget],
    ["resume", () => document],
    ["change", () => (navigator as unknown as { connection: EventTarget }).connection],
  ]
  test.each(signals)("a message from someone else arrives within 5 seconds of the event %s", async (name, target) => {
    const server = new ChatServer()
    const kitchen = server.add("kitchen")
    const client = await startClient(server)
    server.phoenix.silence()
    kitchen.add({ body: "Buns are ready" })
    target().dispatchEvent(new Event(name))
    await pass(5_000)
    expect(conversationOf(client).timeline.messages.map(({ body }) => body)).toEqual(["Buns are ready"])
  })

  test.each(["visible", "hidden"])(
    "a page that is %s and only receives notices it by its report of the foreground, within 35 seconds",
    async (visibilityState) => {
      const server = new ChatServer()
      const kitchen = server.add("kitchen")
      const client = await startClient(server)
      Object.assign(document, { visibilityState })
      await pass(10_000)
      server.phoenix.silence()
      kitchen.add({ body: "Buns are ready" })
      await pass(35_000)
      expect(conversationOf(client).timeline.messages.map(({ body }) => body)).toEqual(["Buns are ready"])
    },
  )

  test("an upload continues on the new connection", async () => {
    const server = new ChatServer()
    server.add("kitchen")
    const client = await startClient(server)
    const upload = { id: "u", offset: 0, finished: false }
    let silent = true
    server.http.on("POST /conversations/kitchen/attachments", () => upload)
    server.http.on("GET /attachments/u", () => upload)
    server.http.on("PATCH /attachments/u", async () => {
      if (silent) await new Promise<never>(() => undefined)
      return { ...upload, offset: 3, finished: true }
    })
    const key = client.blobs.put(new Blob(["one"]))
    const file = { key, kind: "file", name: "a.txt", size: 3, encrypted: false, keep_metadata: false } as const
    await client.send("kitchen", "", [file])
    await settle()
    server.phoenix.silence()
    silent = false
    dispatchEvent(new Event("online"))
    await pass(5_000)
    expect(messages(server)).toHaveLength(1)
  })

  test("an attempt to connect that gets no answer is repeated 3 seconds after the network is back", async () => {
    const server = new ChatServer()
    const client = await startClient(server)
    server.phoenix.silent = true
    server.phoenix.drop()
    await pass(10_000)
    expect(client.connection).toBe("lost")
    server.phoenix.silent = false
    dispatchEvent(new Event("online"))
    await pass(3_500)
    expect(client.connection).toBe("open")
  })

  test("and 20 seconds after it began, if nothing says that the network is back", async () => {
    const server = new ChatServer()
    const client = await startClient(server)
    server.phoenix.silent = true
    server.phoenix.drop()
    await pass(1_000)
    server.phoenix.silent = false
    await pass(20_000)
    expect(client.connection).toBe("open")
  })

  test("a page in the background is not probed", async () => {
    const server = new ChatServer()
    await startClient(server)
    const probes = server.phoenix.framesOf("heartbeat").length
    Object.assign(document, { visibilityState: "hidden" })
    dispatchEvent(new Event("visibilitychange"))
    await pass(5_000)
    expect(server.phoenix.framesOf("heartbeat")).toHaveLength(probes)
  })

  test("a page that goes to the background with a dead connection reconnects, to show notifications", async () => {
    const server = new ChatServer()
    await startClient(server)
    Object.assign(document, { visibilityState: "hidden" })
    server.phoenix.silence()
    dispatchEvent(new Event("visibilitychange"))
    await pass(10_000)
    expect(server.phoenix.sockets).toHaveLength(2)
  })
})

test("a connection that replies is kept, and on a slow network it may take longer each time", async () => {
  const server = new ChatServer()
  await startClient(server)
  dispatchEvent(new Event("online"))
  await pass(10_000)
  expect(server.phoenix.sockets).toHaveLength(1)
  server.phoenix.latencyMs = 4_000
  for (const _ of [1, 2, 3, 4]) {
    dispatchEvent(new Event("online"))
    await pass(10_000)
  }
  expect(server.phoenix.sockets).toHaveLength(2)
})

describe("the user is told within 2 seconds", () => {
  test("that the app is still connecting", async () => {
    const server = new ChatServer()
    server.phoenix.silent = true
    const client = await startDisconnected(server)
    await pass(2_000)
    expect(client.trouble).toBe("connecting")
    await pass(30_000)
    expect(client.trouble).toBe("lost")
  })

  test("that this device is offline, also if it was when the app started, and not any longer than that", async () => {
    const server = new ChatServer()
    Object.assign(navigator, { onLine: false })
    server.phoenix.reachable = server.http.reachable = false
    const client = await startDisconnected(server)
    await pass(2_000)
    expect(client.trouble).toBe("offline")
    Object.assign(navigator, { onLine: true })
    server.phoenix.reachable = server.http.reachable = true
    dispatchEvent(new Event("online"))
    await pass(500)
    expect(client.trouble).toBeUndefined()
    server.phoenix.silence()
    Object.assign(navigator, { onLine: false })
    dispatchEvent(new Event("offline"))
    await pass(2_000)
    expect(client.trouble).toBe("offline")
  })

  test("that the server does not respond", async () => {
    const server = new ChatServer()
    const client = await startClient(server)
    server.phoenix.reachable = server.http.reachable = false
    server.phoenix.drop()
    await pass(2_000)
    expect(client.trouble).toBe("lost")
  })

  test("that something other than Famichat responds", async () => {
    const server = new ChatServer()
    const client = await startClient(server)
    server.http.on("GET /me", () => new Response("<html>", { headers: { "content-type": "text/html" } }))
    server.phoenix.reachable = false
    server.phoenix.drop()
    await pass(2_000)
    expect(client.trouble).toBe("wrong_server")
    await pass(30_000)
    expect(client.trouble).toBe("wrong_server")
  })

  test("that the server refuses connections from this address", async () => {
    const server = new ChatServer()
    server.http.on("GET /setup", () => ({ needed: false, address: null }))
    server.http.on("POST /socket/longpoll", () => ({ status: 403 }))
    server.phoenix.reachable = false
    const client = await startDisconnected(server)
    await pass(2_000)
    expect(client.trouble).toBe("wrong_address")
    expect(client.rightAddress).toBeUndefined()
  })

  test("which address the server is set up for; it stops connecting until that includes this one", async () => {
    const server = new ChatServer()
    server.http.on("POST /socket/longpoll", () => ({ status: 403 }))
    server.http.on("GET /setup", () => ({ needed: false, address: "https://chat.example.org" }))
    server.phoenix.reachable = false
    const client = await startDisconnected(server)
    await pass(5_000)
    expect(client.rightAddress).toBe("https://chat.example.org")
    const attempts = server.phoenix.sockets.length
    await pass(25_000)
    expect(server.phoenix.sockets.length).toBe(attempts)

    server.http.on("POST /socket/longpoll", () => ({ status: 410 }))
    server.phoenix.reachable = true
    await pass(30_000)
    expect(client.connection).toBe("open")
    expect(client.rightAddress).toBeUndefined()
  })
})

test("an interruption of less than a second is not shown", async () => {
  const server = new ChatServer()
  const client = await startClient(server)
  server.phoenix.drop()
  await pass(300)
  expect(client.connection).toBe("open")
  await pass(2_000)
  expect(client.trouble).toBeUndefined()
})

test("an event of a network that has not changed is not shown", async () => {
  const server = new ChatServer()
  const client = await startClient(server)
  dispatchEvent(new Event("offline")) // the server may be on this device
  await pass(2_000)
  expect(client.trouble).toBeUndefined()
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
  for (const event of ["online", "offline", "visibilitychange"]) dispatchEvent(new Event(event))
  await pass(900_000)
  expect(server.phoenix.sockets).toHaveLength(1)
  expect(server.phoenix.sockets[0]?.readyState).toBe(3)
  expect(refreshes(server)).toEqual([])
})
