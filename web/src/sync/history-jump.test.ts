import { expect, test } from "vitest"

import { ChatServer } from "../testing/chat-server"
import { conversationOf, startClient, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { refuse } from "../testing/phoenix-server"

useFakeBrowser()

/** A conversation with 1,000 messages, of which the client has the newest 60. */
async function start() {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 1_000)
  const client = await startClient(server)
  const conversation = conversationOf(client)
  conversation.loadInitial(0)
  await eventually(() => expect(conversation.timeline.messages).toHaveLength(60))
  const shown = () => {
    const { before, last, messages } = conversation.shown
    expect(messages).toHaveLength(last - before)
    return [before + 1, last]
  }
  return { server, kitchen, client, conversation, shown }
}

test("a jump shows 50 messages on each side of the target", async () => {
  const { client, conversation, shown } = await start()
  expect(await conversation.jumpTo(500)).toBe(true)
  expect(shown()).toEqual([450, 549])
  const [first] = conversation.shown.messages
  await eventually(() =>
    expect(client.reader.read(first ?? expect.fail())).toEqual({ kind: "text", text: "message 450" }),
  )
})

test("a message that the newest part contains needs no request", async () => {
  const { server, conversation, shown } = await start()
  await conversation.jumpTo(500)
  expect(await conversation.jumpTo(960)).toBe(true)
  expect(shown()).toEqual([941, 1_000])
  expect(server.phoenix.framesOf("fetch")).toHaveLength(2)
})

test("reading on in both directions extends the part, until it meets the newest part", async () => {
  const { conversation, shown } = await start()
  await conversation.jumpTo(790)
  expect(shown()).toEqual([740, 839])
  conversation.loadOlder()
  await eventually(() => expect(shown()).toEqual([640, 839]))
  conversation.loadNewer()
  await eventually(() => expect(shown()).toEqual([640, 939]))
  conversation.loadNewer()
  await eventually(() => expect(shown()).toEqual([640, 1_000]))
  expect(conversation.historyJump.timeline).toBeUndefined()
  expect(conversation.timeline.messages).toHaveLength(361)
})

test("a part that reaches the start of the conversation has nothing older to load", async () => {
  const { server, conversation, shown } = await start()
  await conversation.jumpTo(30)
  expect(shown()).toEqual([1, 79])
  conversation.loadOlder()
  await settle()
  expect(server.phoenix.framesOf("fetch")).toHaveLength(2)
})

test("one page is loaded at a time, and a page for a part that was left is dropped", async () => {
  const { server, kitchen, conversation, shown } = await start()
  await conversation.jumpTo(500)
  server.phoenix.handle(/^message:/, "fetch", () => undefined)
  conversation.loadOlder()
  conversation.loadNewer()
  await settle()
  expect(server.phoenix.framesOf("fetch")).toHaveLength(3)
  const late = server.phoenix.framesOf("fetch").at(-1) ?? expect.fail()
  server.phoenix.handle(/^message:/, "fetch", ({ payload }) => kitchen.fetch(payload))
  await conversation.jumpTo(200)
  server.phoenix.reply(late, kitchen.fetch(late.payload))
  await settle()
  expect(shown()).toEqual([150, 249])
})

test("a page that arrives after the return to the newest part is dropped", async () => {
  const { server, kitchen, conversation, shown } = await start()
  await conversation.jumpTo(500)
  server.phoenix.handle(/^message:/, "fetch", () => undefined)
  conversation.loadOlder()
  await settle()
  conversation.goToNewest()
  const late = server.phoenix.framesOf("fetch").at(-1) ?? expect.fail()
  server.phoenix.reply(late, kitchen.fetch(late.payload))
  await settle()
  expect(shown()).toEqual([941, 1_000])
})

test("returning to the newest part shows it", async () => {
  const { conversation, shown } = await start()
  await conversation.jumpTo(500)
  conversation.goToNewest()
  expect(shown()).toEqual([941, 1_000])
  conversation.loadNewer()
  await settle()
  expect(shown()).toEqual([941, 1_000])
})

test("a jump that the server refuses, or that has no connection, changes nothing", async () => {
  const { server, conversation, shown } = await start()
  server.phoenix.handle(/^message:/, "fetch", () => refuse("rate_limited"))
  expect(await conversation.jumpTo(500)).toBe(false)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await settle()
  expect(await conversation.jumpTo(500)).toBe(false)
  expect(shown()).toEqual([941, 1_000])
})

test("a jump to a place without messages shows the newest part", async () => {
  const { server, conversation, shown } = await start()
  server.phoenix.handle(/^message:/, "fetch", () => ({ messages: [], has_more: false }))
  expect(await conversation.jumpTo(500)).toBe(true)
  expect(shown()).toEqual([941, 1_000])
})

test("a change is visible in the part, and a change outside of it is not added", async () => {
  const { kitchen, conversation, shown } = await start()
  await conversation.jumpTo(500)
  kitchen.change(500, { body: "edited" })
  kitchen.change(700, { body: "elsewhere" })
  await settle()
  expect(conversation.shown.messages[50]?.body).toBe("edited")
  expect(shown()).toEqual([450, 549])
})

test("a server with another history ends the jump", async () => {
  const { server, kitchen, conversation } = await start()
  await conversation.jumpTo(500)
  kitchen.epoch = "e2"
  server.phoenix.drop()
  await eventually(() => expect(conversation.joined).toBe(false))
  await pass(2_000)
  expect(conversation.historyJump.timeline).toBeUndefined()
})
