// @vitest-environment happy-dom
import { expect, test, vi } from "vitest"

import { message } from "../models/fixtures"
import { problem } from "../testing/http-server"
import { ChatServer } from "../testing/chat-server"
import { conversationOf, startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { eventually } from "../testing/clock"

useFakeBrowser()

const none = { pinned: [], starred: [], hidden: [] }

async function kitchenWith(marks: object) {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 3)
  server.http.on("GET /conversations/kitchen/marks", () => ({ ...none, ...marks }))
  const client = await startClient(server)
  const { marked } = conversationOf(client)
  await marked.load()
  return { server, kitchen, marked }
}

test("a message is pinned, starred and hidden with the server", async () => {
  const { server, marked } = await kitchenWith({})
  server.http.on("PUT /conversations/kitchen/messages/m2/:mark", () => new Response(null, { status: 204 }))
  server.http.on("DELETE /conversations/kitchen/messages/m2/:mark", () => new Response(null, { status: 204 }))
  const second = message(2, { message_id: "m2" })
  for (const mark of ["pin", "star", "hidden"] as const) {
    await marked.set(second, mark, true)
    expect(server.http.requestsTo(`PUT /conversations/kitchen/messages/m2/${mark}`)).toHaveLength(1)
  }
  expect(marked.marks).toEqual({
    pinned: [{ message_id: "m2", seq: 2, user_id: "maja" }],
    starred: [2],
    hidden: [2],
  })
  await marked.set(second, "hidden", false)
  expect(marked.hidden).toEqual(new Set())
})

test("a refused mark changes nothing", async () => {
  const { server, marked } = await kitchenWith({ starred: [3] })
  server.http.on("PUT /conversations/kitchen/messages/:id/star", () => problem(409, "too_many_marks"))
  await expect(marked.set(message(2), "star", true)).rejects.toMatchObject({ code: "too_many_marks" })
  expect(marked.marks.starred).toEqual([3])
})

test("marks that change on another device are loaded again", async () => {
  const { server, marked } = await kitchenWith({})
  server.http.on("GET /conversations/kitchen/marks", () => ({ ...none, hidden: [1] }))
  server.pushToUser("marks_changed", { conversation_id: "kitchen" })
  await eventually(() => expect(marked.hidden).toEqual(new Set([1])))
})

test("a response from before a change by the user does not undo it", async () => {
  const { server, marked } = await kitchenWith({})
  let resolve: (marks: object) => void = () => undefined
  const promise = new Promise<object>((done) => (resolve = done))
  server.http.on("GET /conversations/kitchen/marks", () => promise)
  server.http.on("PUT /conversations/kitchen/messages/:id/star", () => new Response(null, { status: 204 }))
  const loading = marked.load()
  await marked.set(message(2), "star", true)
  resolve(none)
  await loading
  expect(marked.marks.starred).toEqual([2])
})

test("without a server, marks stay as they are", async () => {
  const { server, marked } = await kitchenWith({ starred: [3] })
  server.http.on("GET /conversations/kitchen/marks", () => problem(503, "unavailable"))
  await marked.load()
  expect(marked.marks.starred).toEqual([3])
})

test("a closed bar of pins opens with the next pin, and shows no hidden message", async () => {
  const pins = [2, 1].map((seq) => ({ message_id: `m${seq}`, seq, user_id: "inga" }))
  const { server, marked } = await kitchenWith({ pinned: pins, hidden: [1] })
  expect(marked.shownPins.map(({ seq }) => seq)).toEqual([2])
  marked.closePins()
  expect(marked.shownPins).toEqual([])
  expect(marked.saved).toMatchObject({ closed: true, hidden: [1] })
  server.http.on("GET /conversations/kitchen/marks", () => ({ ...none, pinned: pins.slice(1) }))
  await marked.load()
  expect(marked.shownPins, "one less is no next pin").toEqual([])
  server.http.on("GET /conversations/kitchen/marks", () => ({
    ...none,
    pinned: [{ message_id: "m3", seq: 3, user_id: "inga" }, ...pins],
  }))
  await marked.load()
  expect(marked.shownPins.map(({ seq }) => seq)).toEqual([3, 2, 1])
})

test("a message that is deleted for everyone is no longer pinned or starred", async () => {
  const { kitchen, marked } = await kitchenWith({
    pinned: [{ message_id: "kitchen-m2", seq: 2, user_id: "inga" }],
    starred: [3, 2],
  })
  kitchen.change(2, { body: null, deleted_at: "2026-11-23T12:00:00Z", deleted_by: "inga" })
  await eventually(() => expect(marked.marks).toEqual({ ...none, starred: [3] }))
})

test("a restart without a server still hides messages", async () => {
  const { server } = await kitchenWith({ hidden: [2] })
  await vi.advanceTimersByTimeAsync(1_000)
  server.http.reachable = false
  const restarted = await startDisconnected(server)
  expect(conversationOf(restarted).marked.hidden).toEqual(new Set([2]))
})
