import { expect, test, vi } from "vitest"

import { SearchStore } from "../device/search-store"
import { startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { ChatServer } from "../testing/chat-server"
import { eventually, pass, settle } from "../testing/clock"
import type { ChatClient } from "./client.svelte"

const MAX_STEPS = 50

useFakeBrowser()

async function found(client: ChatClient, text: string, conversationId?: string): Promise<readonly string[]> {
  const results = await client.search?.find({ text, conversationId, limit: 1_000 })
  return (results?.messages ?? []).map(({ conversationId, seq }) => `${conversationId} ${seq}`)
}

/** Lets the filling fetch everything. */
async function fill(client: ChatClient): Promise<void> {
  await settle()
  for (let step = 0; step < MAX_STEPS && client.search?.incomplete.size !== 0; step += 1) await pass(250)
  expect(client.search?.incomplete.size).toBe(0)
}

async function signOut(client: ChatClient): Promise<void> {
  await client.stop()
  // The client is stopped again after the test, and its databases are closed.
  vi.spyOn(console, "warn").mockImplementation(() => undefined)
}

async function startSearch(server: ChatServer): Promise<ChatClient> {
  const client = await startClient(server)
  await client.loadSearch()
  return client
}

test("the whole history is found, also what this device has never shown", async () => {
  const server = new ChatServer()
  server.add("kitchen", 450)
  server.add("attic", 3)
  const client = await startSearch(server)
  expect(client.search?.reachedAt).toBeUndefined()
  await fill(client)
  expect(await found(client, "message 7", "kitchen")).toContain("kitchen 7")
  expect(await found(client, "message 3", "attic")).toEqual(["attic 3"])
})

test("live messages, edits and deletions are found, or not, at once", async () => {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 3)
  const client = await startSearch(server)
  await fill(client)
  kitchen.add({ body: "The ferry is late" })
  kitchen.change(2, { body: "さくら", edited_at: "2026-11-23T12:00:00Z" })
  await pass(50)
  expect(await found(client, "ferry")).toEqual(["kitchen 4"])
  expect(await found(client, "サクラ")).toEqual(["kitchen 2"])
  kitchen.change(4, { body: null, deleted_at: "2026-11-23T12:00:00Z", deleted_by: "inga" })
  await settle()
  expect(await found(client, "ferry")).toEqual([])
})

test("a message that the user deleted for themselves is not found", async () => {
  const server = new ChatServer()
  server.add("kitchen", 3)
  server.http.on("GET /conversations/kitchen/marks", () => ({ pinned: [], starred: [], hidden: [3] }))
  const client = await startSearch(server)
  await fill(client)
  await client.conversation("kitchen")?.marked.load()
  expect(await found(client, "message 3")).toEqual([])
})

test("the stored texts are read when the search is opened, before the first query", async () => {
  const server = new ChatServer()
  server.add("kitchen", 3)
  const client = await startSearch(server)
  await fill(client)
  const read = vi.spyOn(SearchStore.prototype, "segments")
  client.search?.enter()
  await settle()
  expect(read).toHaveBeenCalledOnce()
  expect(await found(client, "message 3")).toEqual(["kitchen 3"])
  expect(read).toHaveBeenCalledOnce()
  client.search?.leave()
})

test("changes to messages that this device does not show are applied when the search is opened", async () => {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 300)
  const client = await startDisconnected(server)
  await eventually(() => expect(client.ready).toBe(true))
  await client.loadSearch()
  await fill(client)
  kitchen.change(5, { body: null, deleted_at: "2026-11-23T12:00:00Z", deleted_by: "inga" }, true)
  client.search?.enter()
  await pass(1_000)
  expect(await found(client, "message 5")).not.toContain("kitchen 5")
  client.search?.leave()
})

test("a metered network fills nothing, unless the user asks for it", async () => {
  vi.stubGlobal(
    "navigator",
    Object.assign(navigator, { connection: Object.assign(new EventTarget(), { saveData: true }) }),
  )
  const server = new ChatServer()
  server.add("kitchen", 300)
  const client = await startSearch(server)
  await pass(5_000)
  expect(server.http.requestsTo("GET /conversations/kitchen/messages")).toEqual([])
  expect([client.search?.paused, client.search?.incomplete.size]).toEqual([true, 1])
  client.search?.fillNow()
  await fill(client)
  expect(client.search?.paused).toBe(false)
  expect(await found(client, "message 7")).toContain("kitchen 7")
})

test("nothing is filled while the user types", async () => {
  const server = new ChatServer()
  server.add("kitchen", 300)
  const client = await startSearch(server)
  for (let key = 0; key < 10; key += 1) {
    dispatchEvent(new Event("keydown"))
    await pass(500)
  }
  expect(server.http.requestsTo("GET /conversations/kitchen/messages")).toEqual([])
  await fill(client)
})

test("a network that stops to be metered is used", async () => {
  const connection = Object.assign(new EventTarget(), { type: "cellular" })
  vi.stubGlobal("navigator", Object.assign(navigator, { connection }))
  const server = new ChatServer()
  server.add("kitchen", 100)
  const client = await startSearch(server)
  await pass(5_000)
  connection.type = "wifi"
  connection.dispatchEvent(new Event("change"))
  await fill(client)
  expect(await found(client, "message 7")).toContain("kitchen 7")
})

test("the texts of a conversation are deleted with the membership", async () => {
  const server = new ChatServer()
  server.add("kitchen", 3)
  const client = await startSearch(server)
  await fill(client)
  server.conversations.delete("kitchen")
  server.pushToUser("conversation_left", { conversation_id: "kitchen" })
  await settle()
  expect(await found(client, "message")).toEqual([])
})

test("what was filled survives a restart, and a sign-out deletes it", async () => {
  const server = new ChatServer()
  server.add("kitchen", 300)
  const client = await startSearch(server)
  await fill(client)
  const asked = server.http.requestsTo("GET /conversations/kitchen/messages").length
  client.search?.close()

  const restarted = await startSearch(server)
  await pass(1_000)
  expect(restarted.search?.incomplete.size).toBe(0)
  expect(await found(restarted, "message 7")).toContain("kitchen 7")
  expect(server.http.requestsTo("GET /conversations/kitchen/messages")).toHaveLength(asked)

  await signOut(restarted)
  expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain("famichat.maja.search")
})

test("a sign-out deletes the texts of an earlier session although the search was not loaded", async () => {
  const server = new ChatServer()
  server.add("kitchen", 3)
  const client = await startSearch(server)
  await fill(client)
  client.search?.close()
  const restarted = await startClient(server)
  await signOut(restarted)
  expect((await indexedDB.databases()).map(({ name }) => name)).not.toContain("famichat.maja.search")
})

test("a message that this device cannot decrypt is counted", async () => {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 3)
  const client = await startSearch(server)
  await fill(client)
  kitchen.add({ body: "AAAA", encryption_flag: true, encryption_version: "v1", key_id: "k" })
  await pass(50)
  const results = await client.search?.find({ text: "message", conversationId: undefined, limit: 20 })
  expect(results?.locked).toBe(1)
})

test("texts survive a start without a server, and those of conversations that were left meanwhile do not", async () => {
  const server = new ChatServer()
  server.add("kitchen", 3)
  server.add("attic", 3)
  const client = await startSearch(server)
  await fill(client)
  client.search?.close()

  server.http.reachable = false
  const offline = await startDisconnected(server)
  await offline.loadSearch()
  await settle()
  expect(await found(offline, "message")).toHaveLength(6)

  server.conversations.delete("attic")
  server.http.reachable = true
  await pass(10_000)
  expect(await found(offline, "message")).toHaveLength(3)
})
