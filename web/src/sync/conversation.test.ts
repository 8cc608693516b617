import { expect, test } from "vitest"

import { Unreachable } from "../api/http"
import { message } from "../models/fixtures"
import { currentTypists } from "../models/people/typing"
import { ChatServer } from "../testing/chat-server"
import { conversationOf, placesIn, startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { refuse } from "../testing/phoenix-server"

useFakeBrowser()

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

/** A server with one conversation, and a client that shows its newest messages. */
async function start(messageCount: number) {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", messageCount)
  const client = await startClient(server)
  const conversation = conversationOf(client)
  return { server, kitchen, client, conversation }
}

/** Loses the connection, lets something happen on the server, and reconnects. */
async function whileAway(server: ChatServer, happens: () => void): Promise<void> {
  server.phoenix.reachable = false
  server.phoenix.drop()
  await settle()
  happens()
  server.phoenix.reachable = true
  await pass(2_000)
}

const joins = (server: ChatServer) =>
  server.phoenix
    .framesOf("phx_join")
    .filter(({ topic }) => topic.startsWith("message:"))
    .map(({ payload }) => payload)

test("a first join names the end of the conversation, and reads the newest page on request", async () => {
  const { server, conversation, client } = await start(200)
  expect(joins(server)).toEqual([{ last_seq: 200, last_change: 0, epoch: "e1", message_statuses: true }])
  expect(placesIn(client)).toEqual([])
  conversation.loadInitial(0)
  await eventually(() => expect(placesIn(client)).toEqual(range(141, 200)))
})

test("reading back fetches the page before the first message, once at a time, until the start", async () => {
  const { server, client, conversation } = await start(130)
  conversation.loadInitial(0)
  expect(conversation.loadingOlder).toBe(true)
  conversation.loadOlder()
  await eventually(() => expect(placesIn(client)).toEqual(range(71, 130)))
  expect(conversation.loadingOlder).toBe(false)
  conversation.loadOlder()
  await eventually(() => expect(placesIn(client)).toEqual(range(1, 130)))
  conversation.loadOlder()
  await settle()
  expect(server.phoenix.payloadsOf("fetch")).toEqual([
    { before_seq: 131, limit: 60 },
    { before_seq: 71, limit: 100 },
  ])
})

test("a conversation with unread messages loads from 20 messages before the first unread one", async () => {
  const server = new ChatServer()
  server.add("kitchen", 300).receipts = [
    { user_id: "maja", device_id: "laptop", device_kind: null, delivered_seq: 300, read_seq: 100 },
  ]
  const client = await startClient(server)
  const conversation = conversationOf(client)
  expect(conversation.firstUnread).toBe(101)
  conversation.loadInitial(200)
  await eventually(() => expect(placesIn(client)).toEqual(range(82, 300)))
})

test("a conversation whose messages are loaded is not loaded again", async () => {
  const { server, conversation, client } = await start(5)
  conversation.loadInitial(0)
  await eventually(() => expect(placesIn(client)).toEqual(range(1, 5)))
  conversation.loadInitial(0)
  await settle()
  expect(server.phoenix.framesOf("fetch")).toHaveLength(1)
})

test("a message that arrives live is shown and becomes the latest of its conversation", async () => {
  const { kitchen, client } = await start(3)
  kitchen.add({ body: "Dinner!" })
  await eventually(() => expect(placesIn(client)).toEqual([4]))
  expect(client.summary("kitchen")?.last_message?.body).toBe("Dinner!")
  expect(client.latestMessage?.body).toBe("Dinner!")
})

test("a gap in live messages is fetched before the message behind it is shown", async () => {
  const { server, kitchen, client } = await start(3)
  kitchen.add({}, true)
  kitchen.add({})
  await eventually(() => expect(placesIn(client)).toEqual([4, 5]))
  expect(server.phoenix.payloadsOf("fetch")).toEqual([{ after_seq: 3, limit: 200 }])
})

test("a head event fetches the messages and the changes that did not arrive", async () => {
  const { server, kitchen, client, conversation } = await start(3)
  conversation.loadInitial(0)
  await eventually(() => expect(placesIn(client)).toEqual([1, 2, 3]))
  kitchen.add({}, true)
  kitchen.change(2, { body: "edited" }, true)
  server.phoenix.push(kitchen.topic, "head", { last_seq: 4, last_change: 1 })
  await eventually(() => expect(placesIn(client)).toEqual([1, 2, 3, 4]))
  await eventually(() => expect(conversation.timeline.messages[1]?.body).toBe("edited"))
  expect(server.phoenix.payloadsOf("fetch_changes")).toEqual([{ after_change: 0 }])
})

test("a rejoin names the last message, the last change and the epoch, and receives what it missed", async () => {
  const { server, kitchen, client, conversation } = await start(3)
  conversation.loadInitial(0)
  kitchen.change(1, { body: "edited" })
  await eventually(() => expect(conversation.timeline.changes).toBe(1))
  await whileAway(server, () => {
    kitchen.add({}, true)
    kitchen.change(2, { deleted_at: "2026-11-23T12:00:00Z", body: null }, true)
  })
  expect(joins(server).at(-1)).toEqual({ last_seq: 3, last_change: 1, epoch: "e1", message_statuses: true })
  expect(placesIn(client)).toEqual([1, 2, 3, 4])
  expect(conversation.timeline.messages[1]?.deleted_at).not.toBeNull()
  expect(conversation.timeline.changes).toBe(2)
})

test("a long absence is caught up in pages until nothing is missing", async () => {
  const { server, kitchen, client } = await start(3)
  kitchen.add()
  await eventually(() => expect(placesIn(client)).toEqual([4]))
  await whileAway(server, () => range(5, 600).forEach(() => kitchen.add({}, true)))
  expect(placesIn(client)).toEqual(range(4, 600))
  const pages = server.phoenix.payloadsOf("fetch").map(({ after_seq }) => after_seq)
  expect(pages).toEqual([54, 254, 454])
})

test("more than 50 missed changes are caught up in pages", async () => {
  const { server, kitchen, client, conversation } = await start(60)
  conversation.loadInitial(0)
  await eventually(() => expect(placesIn(client)).toHaveLength(60))
  await whileAway(server, () => range(1, 60).forEach((seq) => kitchen.change(seq, { body: `edit ${seq}` }, true)))
  expect(conversation.timeline.changes).toBe(60)
  expect(conversation.timeline.messages.map(({ body }) => body)).toEqual(range(1, 60).map((seq) => `edit ${seq}`))
  expect(server.phoenix.payloadsOf("fetch_changes")).toEqual([{ after_change: 50 }])
})

test("a device that missed more than 5,000 messages starts at the end", async () => {
  const { server, kitchen, client, conversation } = await start(3)
  kitchen.add()
  await eventually(() => expect(placesIn(client)).toEqual([4]))
  await whileAway(server, () => range(5, 5_010).forEach(() => kitchen.add({}, true)))
  expect(placesIn(client)).toEqual([])
  expect(conversation.timeline.last).toBe(5_010)
  expect(server.phoenix.framesOf("fetch")).toEqual([])
})

test("a restored server with another epoch replaces what this device has", async () => {
  const { server, kitchen, client, conversation } = await start(9)
  conversation.loadInitial(0)
  await eventually(() => expect(placesIn(client)).toEqual(range(1, 9)))
  await whileAway(server, () => {
    kitchen.epoch = "e2"
    kitchen.messages = [message(1, { body: "restored" })]
  })
  expect(placesIn(client)).toEqual([1])
  expect(conversation.timeline.messages[0]?.body).toBe("restored")
  expect(conversation.timeline.epoch).toBe("e2")
})

test("positions of several conversations in one event lead to a catch-up of each", async () => {
  const { server, kitchen, client } = await start(3)
  kitchen.add({}, true)
  const head = { last_seq: 4, last_change: 0, mls: null }
  server.pushToUser("heads", { heads: { [kitchen.id]: head, unknown: head } })
  await eventually(() => expect(placesIn(client)).toEqual([4]))
})

test("one catch-up runs at a time", async () => {
  const { server, kitchen } = await start(3)
  server.phoenix.handle(/^message:/, "fetch", () => undefined)
  kitchen.add({}, true)
  kitchen.add({})
  kitchen.add({})
  await settle()
  expect(server.phoenix.payloadsOf("fetch")).toEqual([{ after_seq: 3, limit: 200 }])
})

test("a catch-up that leaves out messages starts the timeline behind them", async () => {
  const { server, kitchen, client } = await start(3)
  kitchen.add()
  await eventually(() => expect(placesIn(client)).toEqual([4]))
  server.phoenix.handle(/^message:/, "fetch", () => ({ messages: [message(8), message(9)], has_more: false }))
  server.phoenix.push(kitchen.topic, "head", { last_seq: 9, last_change: 0 })
  await eventually(() => expect(placesIn(client)).toEqual([8, 9]))
})

test("a catch-up that times out is repeated", async () => {
  const { server, kitchen, client } = await start(3)
  let lost = true
  server.phoenix.handle(/^message:/, "fetch", ({ payload }) => (lost ? undefined : kitchen.fetch(payload)))
  kitchen.add({}, true)
  kitchen.add({})
  await pass(10_000)
  expect(placesIn(client)).toEqual([])
  lost = false
  await pass(2_000)
  expect(placesIn(client)).toEqual([4, 5])
})

test("a catch-up that is rate limited waits as long as the server says", async () => {
  const { server, kitchen, client } = await start(3)
  let refusals = 1
  server.phoenix.handle(/^message:/, "fetch", ({ payload }) =>
    refusals-- > 0 ? refuse("rate_limited", { retry_in_ms: 7_000 }) : kitchen.fetch(payload),
  )
  kitchen.add({}, true)
  kitchen.add({})
  await pass(6_900)
  expect(placesIn(client)).toEqual([])
  await pass(200)
  expect(placesIn(client)).toEqual([4, 5])
})

test("changes that could not be fetched are fetched again, unless the refusal is final", async () => {
  const { server, kitchen, conversation } = await start(3)
  conversation.loadInitial(0)
  await settle()
  const replies = [refuse("unavailable"), undefined, refuse("not_found")]
  server.phoenix.handle(/^message:/, "fetch_changes", () => replies.shift())
  kitchen.change(1, { body: "edited" }, true)
  server.phoenix.push(kitchen.topic, "head", { last_seq: 3, last_change: 1 })
  await pass(2_000)
  expect(server.phoenix.framesOf("fetch_changes")).toHaveLength(2)
  await pass(14_000)
  expect(server.phoenix.framesOf("fetch_changes")).toHaveLength(3)
  await pass(60_000)
  expect(server.phoenix.framesOf("fetch_changes")).toHaveLength(3)
})

test("a change that arrives live replaces the message, also in the list of conversations", async () => {
  const { kitchen, client, conversation } = await start(3)
  conversation.loadInitial(0)
  await eventually(() => expect(placesIn(client)).toEqual([1, 2, 3]))
  kitchen.change(3, { body: "edited" })
  await eventually(() => expect(conversation.timeline.messages[2]?.body).toBe("edited"))
  expect(client.summary("kitchen")?.last_message?.body).toBe("edited")
})

test("edits, deletions and reactions are sent as changes of the message", async () => {
  const { server, conversation } = await start(1)
  for (const event of ["edit_msg", "delete_msg", "react"]) server.phoenix.handle(/^message:/, event, () => ({}))
  await conversation.edit("m1", "better")
  await conversation.remove("m1")
  await conversation.react("m1", "👍")
  await conversation.react("m1", undefined)
  expect(server.phoenix.payloadsOf("edit_msg")).toEqual([{ message_id: "m1", body: "better" }])
  expect(server.phoenix.payloadsOf("delete_msg")).toEqual([{ message_id: "m1" }])
  expect(server.phoenix.payloadsOf("react")).toEqual([
    { message_id: "m1", emoji: "👍" },
    { message_id: "m1", emoji: null },
  ])
})

test("a change that the server refuses, loses or never receives is reported", async () => {
  const { server, conversation } = await start(1)
  server.phoenix.handle(/^message:/, "edit_msg", () => refuse("forbidden"))
  await expect(conversation.edit("m1", "x")).rejects.toMatchObject({ code: "forbidden" })
  const lost = expect(conversation.remove("m1")).rejects.toBeInstanceOf(Unreachable)
  await pass(10_000)
  await lost
  server.phoenix.drop()
  await settle()
  await expect(conversation.react("m1", "👍")).rejects.toBeInstanceOf(Unreachable)
})

test("another user who types is shown until that user stops, sends, or is silent for ten seconds", async () => {
  const { server, kitchen, conversation } = await start(1)
  const typists = () => currentTypists(conversation.typists, Date.now())
  const type = (typing: boolean) => server.phoenix.push(kitchen.topic, "typing", { user_id: "inga", typing })
  type(true)
  expect(typists()).toEqual(["inga"])
  type(false)
  expect(typists()).toEqual([])
  type(true)
  kitchen.add({ user_id: "inga" })
  expect(typists()).toEqual([])
  type(true)
  await pass(9_900)
  expect(typists()).toEqual(["inga"])
  await pass(200)
  expect(typists()).toEqual([])
})

test("one's own typing is sent at most every three seconds, and its end at once", async () => {
  const { server, conversation } = await start(1)
  conversation.sendTyping(false)
  conversation.sendTyping(true)
  conversation.sendTyping(true)
  await pass(3_000)
  conversation.sendTyping(true)
  conversation.sendTyping(false)
  conversation.sendTyping(false)
  await settle()
  expect(server.phoenix.payloadsOf("typing").map(({ typing }) => typing)).toEqual([true, true, false])
})

test("a lost connection clears who is online and who types, and sends no typing events", async () => {
  const { server, kitchen, conversation } = await start(1)
  server.phoenix.push(kitchen.topic, "presence_state", { inga: { metas: [{ phx_ref: "1" }] } })
  server.phoenix.push(kitchen.topic, "typing", { user_id: "inga", typing: true })
  expect(conversation.online).toEqual(["inga"])
  server.phoenix.reachable = false
  server.phoenix.drop()
  await settle()
  expect(conversation.joined).toBe(false)
  expect(conversation.online).toEqual([])
  expect(currentTypists(conversation.typists, Date.now())).toEqual([])
  conversation.sendTyping(true)
  expect(server.phoenix.framesOf("typing")).toEqual([])
})

test("the receipts of others come with the join and advance live", async () => {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 5)
  kitchen.receipts = [{ user_id: "inga", device_id: "tablet", device_kind: "tablet", delivered_seq: 4, read_seq: 2 }]
  const conversation = conversationOf(await startClient(server))
  expect(conversation.receipts.get("inga")).toEqual({ delivered: 4, read: 2, on: { tablet: 4 } })
  const status = { conversation_id: "kitchen", user_id: "inga", device_id: "tablet", device_kind: null }
  server.phoenix.push(kitchen.topic, "message_status", { ...status, status: "read", seq: 5 })
  expect(conversation.receipts.get("inga")).toMatchObject({ delivered: 5, read: 5 })
})

test("one event can advance the receipts of several devices", async () => {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 5)
  const conversation = conversationOf(await startClient(server))
  const status = (user_id: string, status: string, seq: number) => {
    return { user_id, device_id: `${user_id}'s`, device_kind: null, status, seq }
  }
  const statuses = [status("inga", "delivered", 5), status("inga", "read", 4), status("nils", "delivered", 3)]
  server.phoenix.push(kitchen.topic, "message_statuses", { conversation_id: "kitchen", statuses })
  expect(conversation.receipts.get("inga")).toMatchObject({ delivered: 5, read: 4 })
  expect(conversation.receipts.get("nils")).toMatchObject({ delivered: 3, read: 0 })
})

test("a conversation that refuses the join as not found is removed", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  server.add("attic", 1)
  server.phoenix.handle(/attic/, "phx_join", () => refuse("not_found"))
  const client = await startDisconnected(server)
  await eventually(() => expect(client.ready).toBe(true))
  client.open("attic")
  await eventually(() => expect(client.conversations.map(({ id }) => id)).toEqual(["kitchen"]))
  expect(client.conversation("attic")).toBeUndefined()
  expect(client.removed.get("attic")?.name).toBe("attic")
})

test("a join that is refused for a while is repeated", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  let refusals = 2
  server.phoenix.handle(/^message:/, "phx_join", ({ payload }) =>
    refusals-- > 0 ? refuse("unavailable") : server.conversations.get("kitchen")?.joined(payload),
  )
  const client = await startDisconnected(server)
  await eventually(() => expect(client.ready).toBe(true))
  client.open("kitchen")
  await settle()
  expect(conversationOf(client).joined).toBe(false)
  expect(conversationOf(client).joinRefused).toBeUndefined()
  await pass(10_000)
  expect(conversationOf(client).joined).toBe(true)
})

test("messages go straight to the end of the timeline while an older page cannot be read", async () => {
  const { server, conversation, kitchen, client } = await start(100)
  server.phoenix.handle(/^message:/, "fetch", () => refuse("forbidden"))
  conversation.loadInitial(0)
  await settle()
  expect(conversation.loadingOlder).toBe(false)
  kitchen.add()
  await eventually(() => expect(placesIn(client)).toEqual([101]))
})

test("a later page that no longer contains hidden messages starts the timeline behind them", async () => {
  const { server, kitchen, client, conversation } = await start(3)
  kitchen.add()
  await eventually(() => expect(placesIn(client)).toEqual([4]))
  server.phoenix.handle(/^message:/, "phx_join", () => ({
    ...kitchen.joined({ last_seq: 10, epoch: "e1" }),
    last_seq: 12,
    messages: [message(11), message(12)],
  }))
  await whileAway(server, () => undefined)
  expect(placesIn(client)).toEqual([11, 12])
  expect(conversation.timeline.reachesStart).toBe(true)
})
