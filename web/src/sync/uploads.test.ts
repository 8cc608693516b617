import { beforeEach, expect, test } from "vitest"

import type { Upload } from "../api/types"
import { attachment } from "../models/fixtures"
import { ChatServer } from "../testing/chat-server"
import { startClient, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { problem, type HttpRequest } from "../testing/http-server"
import type { ChatClient } from "./client.svelte"

useFakeBrowser()

const KILOBYTES = 1_024
const SIZE = 1_200 * KILOBYTES

let server: ChatServer
let client: ChatClient
/** The bytes that the server has of each upload. */
let stored: Map<string, number>

beforeEach(async () => {
  server = new ChatServer()
  server.add("kitchen", 2)
  stored = new Map()
  server.http.on("POST /conversations/kitchen/attachments", ({ body }) => {
    const id = `upload${stored.size + 1}`
    stored.set(id, 0)
    return view(id, (body as { size: number }).size)
  })
  server.http.on("GET /attachments/:id", (request) => {
    const id = idOf(request)
    return stored.has(id) ? view(id) : problem(404, "not_found")
  })
  server.http.on("PATCH /attachments/:id", (request) => store(request))
  server.http.on("DELETE /attachments/:id", (request) => {
    stored.delete(idOf(request))
    return new Response(null, { status: 204 })
  })
  client = await startClient(server)
})

const idOf = ({ path }: HttpRequest) => path.split("/").at(-1) ?? ""

function view(id: string, size = SIZE): Upload {
  const offset = stored.get(id) ?? 0
  return { ...attachment, id, conversation_id: "kitchen", size, offset, finished: offset === size }
}

function store(request: HttpRequest): Upload | Response {
  const [id, offset] = [idOf(request), Number(request.headers.get("upload-offset"))]
  if (offset !== stored.get(id)) return problem(409, "wrong_offset")
  stored.set(id, offset + (request.body as Blob).size)
  return view(id)
}

const offsets = () =>
  server.http.requests.filter(({ method }) => method === "PATCH").map(({ headers }) => headers.get("upload-offset"))
const starts = () => server.http.requestsTo("POST /conversations/kitchen/attachments").map(({ body }) => body)
const messages = () => server.phoenix.payloadsOf("new_msg")

async function sendPhoto(): Promise<void> {
  const blob = new Blob([new Uint8Array(SIZE)])
  await client.pendingAttachments.add("kitchen", [{ kind: "image", name: "cat.jpg", blob }], "Kitchen")
  await client.send("kitchen", "Look", client.pendingAttachments.of("kitchen"))
}

test("a file is uploaded in chunks of 512 KiB before its message is sent", async () => {
  await sendPhoto()
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(starts()).toEqual([{ size: SIZE, name: "cat.jpg", keep_metadata: false }])
  expect(offsets()).toEqual(["0", `${512 * KILOBYTES}`, `${1_024 * KILOBYTES}`])
  expect(messages()[0]).toMatchObject({ body: "Look", attachment_ids: ["upload1"], message_type: "image" })
  await eventually(() => expect(client.outbox).toEqual([]))
})

test("the progress of an upload is visible until it ends", async () => {
  const continues: (() => void)[] = []
  server.http.on("PATCH /attachments/:id", async (request) => {
    await new Promise<void>((resolve) => continues.push(resolve))
    return store(request)
  })
  await sendPhoto()
  const message = client.outbox[0] ?? expect.fail()
  await eventually(() => expect(continues).toHaveLength(1))
  expect(client.uploads.progress(message)).toBe(0)
  continues.shift()?.()
  await eventually(() => expect(continues).toHaveLength(1))
  expect(client.uploads.progress(message)).toBeCloseTo(512 / 1_200)
  server.http.on("PATCH /attachments/:id", (request) => store(request))
  continues.shift()?.()
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(client.uploads.progress(message)).toBeUndefined()
})

test("an upload that the network interrupts continues at the offset of the server", async () => {
  server.http.on("PATCH /attachments/:id", (request) => {
    server.http.reachable = stored.get("upload1") === 0
    return store(request)
  })
  await sendPhoto()
  await settle()
  expect(client.outbox[0]?.enclosures?.[0]?.upload_id).toBe("upload1")
  server.http.reachable = true
  server.http.on("PATCH /attachments/:id", (request) => store(request))
  await pass(2_000)
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(starts()).toHaveLength(1)
  expect(server.http.requestsTo("GET /attachments/upload1")).toHaveLength(1)
  expect(messages()[0]).toMatchObject({ attachment_ids: ["upload1"] })
})

test("an upload that the server has forgotten starts again", async () => {
  server.http.on("PATCH /attachments/:id", () => problem(503, "unavailable"))
  await sendPhoto()
  await settle()
  stored.delete("upload1")
  stored.set("other", 0)
  server.http.on("PATCH /attachments/:id", (request) => store(request))
  await pass(2_000)
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(starts()).toHaveLength(2)
  expect(messages()[0]).toMatchObject({ attachment_ids: ["upload2"] })
})

test("a chunk at a wrong offset is followed by the offset of the server", async () => {
  let wrong = true
  server.http.on("PATCH /attachments/:id", (request) => {
    if (wrong) stored.set(idOf(request), 100)
    wrong = false
    return store(request)
  })
  await sendPhoto()
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(offsets().slice(0, 2)).toEqual(["0", "100"])
})

test("an upload that is busy in another tab is asked for again after a second", async () => {
  let busy = true
  server.http.on("PATCH /attachments/:id", (request) => (busy ? problem(409, "upload_busy") : store(request)))
  await sendPhoto()
  await pass(900)
  expect(offsets()).toEqual(["0"])
  busy = false
  await pass(200)
  await eventually(() => expect(messages()).toHaveLength(1))
})

test("a discarded message stops its upload, and the server deletes what it has", async () => {
  const continues: (() => void)[] = []
  server.http.on("PATCH /attachments/:id", async (request) => {
    await new Promise<void>((resolve) => continues.push(resolve))
    return store(request)
  })
  await sendPhoto()
  await eventually(() => expect(continues).toHaveLength(1))
  server.http.on("DELETE /attachments/:id", () => new Response(null, { status: 204 })) // and the chunk is still accepted
  await client.discard(client.outbox[0]?.client_id ?? "")
  continues.shift()?.()
  await settle()
  expect(offsets()).toEqual(["0"])
  expect(messages()).toEqual([])
  expect(server.http.requestsTo("DELETE /attachments/upload1")).toHaveLength(1)
  await client.send("kitchen", "next")
  await eventually(() => expect(messages()).toHaveLength(1))
})

test("a message is discarded also when the server cannot be told", async () => {
  server.http.on("PATCH /attachments/:id", () => problem(413, "quota_exceeded"))
  await sendPhoto()
  await eventually(() => expect(client.outbox[0]?.refused).toBe("quota_exceeded"))
  server.http.reachable = false
  await client.discard(client.outbox[0]?.client_id ?? "")
  expect(client.outbox).toEqual([])
})

test("a photo that the server cannot process is sent as the original on request", async () => {
  server.http.on("PATCH /attachments/:id", () => problem(422, "picture_unreadable"))
  await sendPhoto()
  await eventually(() => expect(client.outbox[0]?.refused).toBe("picture_unreadable"))
  server.http.on("PATCH /attachments/:id", (request) => store(request))
  await client.retry("kitchen", client.outbox[0]?.client_id ?? "", true)
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(starts()).toMatchObject([{ keep_metadata: false }, { keep_metadata: true }])
  expect(server.http.requestsTo("DELETE /attachments/upload1")).toHaveLength(1)
})

test("a file whose bytes this device has lost is refused", async () => {
  const blob = new Blob([new Uint8Array(SIZE)])
  await client.pendingAttachments.add("kitchen", [{ kind: "file", name: "a", blob }], "Kitchen")
  const enclosures = client.pendingAttachments.of("kitchen")
  await client.blobs.remove(enclosures.map(({ key }) => key))
  await client.send("kitchen", "", enclosures)
  await eventually(() => expect(client.outbox[0]?.refused).toBe("file_gone"))
})

test("an upload whose connection to the conversation was lost is continued, not repeated, after the rejoin", async () => {
  const continues: (() => void)[] = []
  server.http.on("PATCH /attachments/:id", async (request) => {
    await new Promise<void>((resolve) => continues.push(resolve))
    return store(request)
  })
  await sendPhoto()
  await eventually(() => expect(continues).toHaveLength(1))
  server.phoenix.drop()
  await pass(1_000)
  server.http.on("PATCH /attachments/:id", (request) => store(request))
  continues.shift()?.()
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(starts()).toHaveLength(1)
  expect(offsets()).toEqual(["0", `${512 * KILOBYTES}`, `${1_024 * KILOBYTES}`])
})
