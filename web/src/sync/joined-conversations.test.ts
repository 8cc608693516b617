import { expect, test } from "vitest"

import type { Message } from "../api/types"
import { ChatServer } from "../testing/chat-server"
import { conversationOf, placesIn, startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { refuse } from "../testing/phoenix-server"
import type { ChatClient } from "./client.svelte"
import { MAX_JOINED } from "./joined-conversations"

useFakeBrowser()

const joins = (server: ChatServer) =>
  server.phoenix.framesOf("phx_join").filter(({ topic }) => topic.startsWith("message:"))
const acks = (server: ChatServer) => server.phoenix.payloadsOf("message_acks").map((each) => each.acks as object[])

async function startReady(server: ChatServer): Promise<ChatClient> {
  const client = await startDisconnected(server)
  await eventually(() => expect(client.ready).toBe(true))
  return client
}

/** A server with conversations `c0`, `c1` ..., each with one message, and a client that has opened none. */
async function start(count: number, unread = 0) {
  const server = new ChatServer()
  for (let n = 0; n < count; n++) server.add(`c${n}`, 1, { unread })
  return { server, client: await startReady(server) }
}

/** Another user writes in a conversation that the client has not joined. */
function write(server: ChatServer, id: string, details: Partial<Message> = {}): Message {
  const message = server.conversations.get(id)!.add(details)
  server.pushToUser("last_message", { conversation_id: id, type: "group", message })
  server.pushToUser("unread", { conversation_id: id, last_seq: message.seq, unread: 1 })
  return message
}

test("a client with 1,000 conversations lists all, and joins only those that it opens, at most 20 at once", async () => {
  const { server, client } = await start(1_000)
  expect(client.conversations).toHaveLength(1_000)
  expect(joins(server)).toEqual([])

  for (let n = 0; n < 50; n++) client.open(`c${n}`)
  await settle()

  const joined = client.conversations.filter(({ id }) => conversationOf(client, id).joined).map(({ id }) => id)
  expect(joined.sort()).toEqual(Array.from({ length: MAX_JOINED }, (_, n) => `c${n + 30}`))
  expect([...server.phoenix.sockets[0]!.joined.keys()]).toHaveLength(MAX_JOINED + 1) // and the user's channel
})

test("a conversation that was left is joined again where it was", async () => {
  const { server, client } = await start(30)
  client.open("c0")
  await settle()
  for (let n = 1; n < 30; n++) client.open(`c${n}`)
  await settle()
  expect(conversationOf(client, "c0").joined).toBe(false)

  server.conversations.get("c0")?.add()
  client.open("c0")
  await eventually(() => expect(placesIn(client, "c0")).toEqual([2]))
  expect(joins(server).filter(({ topic }) => topic.endsWith(":c0"))).toHaveLength(2)
})

test("a message in a conversation that is not joined is previewed, counted, announced and kept for offline reading", async () => {
  const { server, client } = await start(3)
  write(server, "c2", { body: "Dinner!", inserted_at: "2026-11-23T13:00:00Z" })

  const [first] = client.conversations
  expect([first?.id, first?.unread, first?.last_message?.body]).toEqual(["c2", 1, "Dinner!"])
  expect(client.latestMessage?.body).toBe("Dinner!")
  expect(placesIn(client, "c2")).toEqual([2])
  expect(joins(server)).toEqual([])
})

test("an edit of the newest message changes the preview, and announces nothing", async () => {
  const { server, client } = await start(1)
  const message = server.conversations.get("c0")!.change(1, { body: "Supper" }, true)
  server.pushToUser("last_message", { conversation_id: "c0", type: "group", message })
  expect(client.summary("c0")?.last_message?.body).toBe("Supper")
  expect(client.latestMessage).toBeUndefined()
})

test("messages of conversations that are not joined are acknowledged together as delivered", async () => {
  const { server } = await start(3)
  write(server, "c0")
  write(server, "c1")
  write(server, "c1")
  write(server, "c2", { user_id: "maja" })
  await pass(120)
  expect(acks(server)).toEqual([
    [
      { topic: "message:group:c0", seq: 2 },
      { topic: "message:group:c1", seq: 3 },
    ],
  ])
})

test("acknowledgements that were refused for a while are repeated, and lost ones are sent after the reconnect", async () => {
  const { server } = await start(1)
  let refusals = 1
  server.phoenix.handle(/^user:/, "message_acks", () => (refusals-- > 0 ? refuse("unavailable") : {}))
  write(server, "c0")
  await pass(5_000)
  expect(acks(server)).toHaveLength(2)

  server.phoenix.handle(/^user:/, "message_acks", () => undefined)
  write(server, "c0")
  await pass(200)
  server.phoenix.drop()
  server.phoenix.handle(/^user:/, "message_acks", () => ({}))
  await pass(15_000)
  expect(acks(server).at(-1)).toEqual([{ topic: "message:group:c0", seq: 3 }])
})

test("after a start, unread conversations are joined as far as there is room, and the others acknowledged", async () => {
  const { server, client } = await start(MAX_JOINED + 60, 1)
  await pass(500)
  expect(joins(server)).toHaveLength(MAX_JOINED)
  const rest = client.conversations.filter(({ id }) => !conversationOf(client, id).joined).map(({ id }) => id)
  expect(acks(server).map((each) => each.length)).toEqual([50, 10])
  const topics = acks(server)
    .flat()
    .map((each) => ("topic" in each ? each.topic : ""))
  expect(topics.sort()).toEqual(rest.map((id) => `message:group:${id}`).sort())
})

test("a message to a conversation that is not joined is sent, and one of many conversations waits for room", async () => {
  const { server, client } = await start(MAX_JOINED + 5)
  for (const { id } of client.conversations) await client.send(id, `to ${id}`)
  await eventually(() => expect(client.outbox).toEqual([]))
  expect(server.phoenix.payloadsOf("new_msg")).toHaveLength(MAX_JOINED + 5)
  expect(server.phoenix.sockets[0]!.joined.size).toBeLessThanOrEqual(MAX_JOINED + 1)
})

test("unsent messages are sent after the next start, without opening their conversation", async () => {
  const { server, client } = await start(2)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await client.send("c1", "later")
  await settle()
  server.phoenix.reachable = true
  const restarted = await startReady(server)
  await eventually(() => expect(restarted.outbox).toEqual([]))
  expect(server.conversations.get("c1")?.messages.at(-1)?.body).toBe("later")
})

test("a conversation that became active between two pages is not taken for one that the user left", async () => {
  const { server, client } = await start(2)
  server.http.on("GET /conversations", () => ({ conversations: [server.conversations.get("c0")?.summary] }))
  server.phoenix.drop()
  await pass(5_000)
  expect(client.conversations.map(({ id }) => id).sort()).toEqual(["c0", "c1"])
  expect(client.removed.size).toBe(0)
})

test("a user is online if any joined conversation shows it", async () => {
  const { server, client } = await start(2)
  client.open("c0")
  await settle()
  server.phoenix.push("message:group:c0", "presence_state", { inga: { metas: [{ phx_ref: "1", device_id: "d" }] } })
  expect(client.online.has("inga")).toBe(true)
})

test("a join beyond the limit of the server says why the conversation is not live", async () => {
  const { server, client } = await start(1)
  server.phoenix.handle(/^message:/, "phx_join", () => refuse("too many channels joined"))
  client.open("c0")
  await settle()
  expect(conversationOf(client, "c0").joinRefused).toBe("too many channels joined")
})

test("a message that arrives while the channel is joined comes by the conversation's channel alone", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  const client = await startClient(server)
  write(server, "kitchen")
  await pass(500)
  expect(placesIn(client)).toEqual([2])
  expect(acks(server)).toEqual([])
})
