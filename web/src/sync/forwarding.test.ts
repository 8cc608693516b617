// @vitest-environment happy-dom
import { expect, test } from "vitest"

import { message } from "../models/fixtures"
import { ChatServer } from "../testing/chat-server"
import { startClient, useFakeBrowser } from "../testing/client"
import { eventually } from "../testing/clock"
import { forward } from "./forwarding"

useFakeBrowser()

test("a message is sent on to several chats, marked as forwarded, and drafts there stay", async () => {
  const server = new ChatServer()
  for (const id of ["kitchen", "garden", "hall"]) server.add(id, 1)
  const client = await startClient(server)
  client.saveDraft("garden", "unfinished", "Garden")
  const sent = message(1, { body: "The ferry leaves at noon." })
  await client.reader.open([sent])
  await forward(client, sent, ["garden", "hall"])
  const bodies = () => server.phoenix.payloadsOf("new_msg").map(({ body }) => body)
  await eventually(() => expect(bodies()).toEqual(Array(2).fill("↪\uFE0E The ferry leaves at noon.")))
  expect(client.drafts.get("garden")?.text).toBe("unfinished")
})

test("a message that was forwarded once is marked once", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  const client = await startClient(server)
  const sent = message(1, { body: "↪\uFE0E At noon." })
  await client.reader.open([sent])
  expect(client.reader.read(sent)).toEqual({ kind: "text", text: "At noon.", forwarded: true })
  await forward(client, sent, ["kitchen"])
  await eventually(() => expect(server.phoenix.payloadsOf("new_msg")).toMatchObject([{ body: "↪\uFE0E At noon." }]))
})
