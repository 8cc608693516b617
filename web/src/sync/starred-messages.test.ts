// @vitest-environment happy-dom
import { expect, test } from "vitest"

import { Unreachable } from "../api/http"
import { ChatServer } from "../testing/chat-server"
import { startClient, useFakeBrowser } from "../testing/client"
import { fetchStarred } from "./starred-messages"

useFakeBrowser()

async function start(count: number) {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", count)
  const client = await startClient(server)
  const requests = () => server.http.requestsTo("GET /conversations/kitchen/messages").length
  return { server, kitchen, client, requests }
}

test("starred messages that are on this device need no request", async () => {
  const { client, requests, kitchen } = await start(0)
  kitchen.add({ body: "The key is under the pot" })
  const [starred] = await fetchStarred(client, "kitchen", [1])
  expect(starred && client.reader.read(starred)).toMatchObject({ text: "The key is under the pot" })
  expect(requests()).toBe(0)
})

test("old starred messages are fetched with few requests, the newest first, and can be read", async () => {
  const { client, requests } = await start(300)
  const messages = await fetchStarred(client, "kitchen", [40, 39, 120, 30])
  expect(messages.map(({ seq }) => seq)).toEqual([120, 40, 39, 30])
  for (const message of messages) expect(client.reader.read(message)?.kind).toBe("text")
  expect(requests()).toBe(2)
})

test("a starred message that the user may no longer see is left out", async () => {
  const { server, client } = await start(300)
  server.http.on("GET /conversations/:id/messages", () => ({ messages: [], has_more: false }))
  expect(await fetchStarred(client, "kitchen", [40])).toEqual([])
})

test("without a response, starred messages that are elsewhere cannot be shown", async () => {
  const { server, client } = await start(300)
  server.http.reachable = false
  await expect(fetchStarred(client, "kitchen", [40])).rejects.toBeInstanceOf(Unreachable)
})
