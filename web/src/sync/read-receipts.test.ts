import { expect, test } from "vitest"

import { ChatServer } from "../testing/chat-server"
import { conversationOf, startClient, useFakeBrowser } from "../testing/client"
import { pass, settle } from "../testing/clock"
import { refuse } from "../testing/phoenix-server"

useFakeBrowser()

const acks = (server: ChatServer) => server.phoenix.payloadsOf("message_ack")

async function start(messageCount: number) {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", messageCount)
  const client = await startClient(server)
  return { server, kitchen, client, conversation: conversationOf(client) }
}

test("a joined device acknowledges the end of the conversation as delivered", async () => {
  const { server } = await start(3)
  await pass(120)
  expect(acks(server)).toEqual([{ seq: 3, status: "delivered" }])
})

test("an empty conversation is not acknowledged", async () => {
  const { server, conversation } = await start(0)
  conversation.setActive(true)
  await pass(1_000)
  expect(acks(server)).toEqual([])
})

test("messages that arrive together are acknowledged once, up to the last one of another user", async () => {
  const { server, kitchen } = await start(3)
  await pass(120)
  kitchen.add()
  kitchen.add()
  kitchen.add({ user_id: "maja" })
  await pass(120)
  expect(acks(server).slice(1)).toEqual([{ seq: 5, status: "delivered" }])
})

test("an open conversation acknowledges as read, and a closed one as delivered", async () => {
  const { server, kitchen, conversation } = await start(3)
  await pass(120)
  kitchen.add()
  conversation.setActive(true)
  await pass(120)
  conversation.setActive(false)
  kitchen.add()
  await pass(120)
  expect(acks(server).slice(1)).toEqual([
    { seq: 4, status: "read" },
    { seq: 5, status: "delivered" },
  ])
})

test("a conversation whose messages are not loaded is not acknowledged as read", async () => {
  const { server, conversation } = await start(3)
  conversation.setActive(true)
  await pass(1_000)
  expect(acks(server)).toEqual([])
  conversation.loadInitial(0)
  await pass(120)
  expect(acks(server)).toEqual([{ seq: 3, status: "read" }])
})

test("an acknowledged message is not acknowledged again, and a read one not as delivered", async () => {
  const { server, conversation } = await start(3)
  conversation.loadInitial(0)
  conversation.setActive(true)
  await pass(120)
  conversation.setActive(true)
  await pass(120)
  conversation.setActive(false)
  server.phoenix.drop()
  await pass(2_000)
  expect(acks(server)).toEqual([{ seq: 3, status: "read" }])
})

test("an acknowledgement that is refused is repeated with the next message", async () => {
  const { server, kitchen } = await start(3)
  server.phoenix.handle(/^message:/, "message_ack", () => refuse("rate_limited"))
  await pass(120)
  kitchen.add()
  await pass(120)
  expect(acks(server).map(({ seq }) => seq)).toEqual([3, 4])
})

test("a server with another history is acknowledged from the start", async () => {
  const { server, kitchen } = await start(3)
  await pass(120)
  kitchen.epoch = "e2"
  server.phoenix.drop()
  await pass(2_000)
  expect(acks(server)).toEqual([
    { seq: 3, status: "delivered" },
    { seq: 3, status: "delivered" },
  ])
})

test("nothing is acknowledged without a connection, or in a conversation that the user has left", async () => {
  const { server, kitchen, client, conversation } = await start(3)
  await pass(120)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await settle()
  conversation.setActive(true)
  await pass(120)
  expect(acks(server)).toHaveLength(1)
  server.phoenix.reachable = true
  await pass(10_000)
  kitchen.add()
  server.pushToUser("conversation_left", { conversation_id: "kitchen" })
  await pass(1_000)
  expect(client.conversation("kitchen")).toBeUndefined()
  expect(acks(server)).toHaveLength(1)
})
