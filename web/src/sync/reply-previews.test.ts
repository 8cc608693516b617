import { expect, test, vi } from "vitest"

import { message } from "../models/fixtures"
import { ChatServer } from "../testing/chat-server"
import { conversationOf, startClient, useFakeBrowser } from "../testing/client"
import { eventually } from "../testing/clock"
import { problem } from "../testing/http-server"

useFakeBrowser()

const PATH = "GET /conversations/kitchen/messages/old"

async function start() {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 3)
  const client = await startClient(server)
  const conversation = conversationOf(client)
  const load = () => client.replyPreviews.load(conversation, "old")
  const find = (id = "old") => client.replyPreviews.find(conversation, id)
  return { server, kitchen, client, conversation, load, find }
}

test("a message of the timeline is found without a request", async () => {
  const { server, conversation, client, find } = await start()
  conversation.loadInitial(0)
  await eventually(() => expect(find("kitchen-m2")?.seq).toBe(2))
  await client.replyPreviews.load(conversation, "kitchen-m2")
  expect(server.http.requestsTo("GET /conversations/kitchen/messages/kitchen-m2")).toEqual([])
})

test("an older message is requested once and can be read", async () => {
  const { server, client, load, find } = await start()
  const old = message(1, { message_id: "old", body: "long ago" })
  server.http.on(PATH, () => old)
  expect(find()).toBeUndefined()
  await Promise.all([load(), load()])
  await load()
  expect(server.http.requestsTo(PATH)).toHaveLength(1)
  expect(find()).toEqual(old)
  expect(client.reader.read(old)).toEqual({ kind: "text", text: "long ago" })
})

test("a message that this user may not see is null, and is not requested again", async () => {
  const { server, load, find } = await start()
  await load()
  await load()
  expect(find()).toBeNull()
  expect(server.http.requestsTo(PATH)).toHaveLength(1)
})

test("a request that fails for now is repeated", async () => {
  const { server, load, find } = await start()
  server.http.reachable = false
  await load()
  server.http.reachable = true
  server.http.on(PATH, () => problem(503, "unavailable"))
  await load()
  expect(find()).toBeUndefined()
  server.http.on(PATH, () => message(1, { message_id: "old" }))
  await load()
  expect(find()?.message_id).toBe("old")
})

test("a change of a loaded message replaces it", async () => {
  const { server, kitchen, load, find } = await start()
  server.http.on(PATH, () => message(1, { message_id: "old" }))
  await load()
  server.phoenix.push(kitchen.topic, "message_updated", message(1, { message_id: "old", change: 1, body: "edited" }))
  server.phoenix.push(kitchen.topic, "message_updated", message(2, { message_id: "other", change: 2, body: "edited" }))
  await eventually(() => expect(find()?.body).toBe("edited"))
  expect(find("other")).toBeUndefined()
})

test("a message that was found once is found again without a search through the timeline", async () => {
  const { kitchen, conversation, find } = await start()
  conversation.loadInitial(0)
  await eventually(() => expect(find("kitchen-m2")?.seq).toBe(2))
  kitchen.add({ user_id: "inga" })
  await eventually(() => expect(conversation.timeline.last).toBe(4))
  const search = vi.spyOn(conversation.timeline.messages, "findLast")
  expect(find("kitchen-m2")?.seq).toBe(2)
  expect(search).not.toHaveBeenCalled()
})
