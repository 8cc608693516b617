import { beforeEach, expect, test, vi } from "vitest"

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

const two = ["good.jpg", "bad.jpg"].map((name) => ({ kind: "image" as const, name, blob: new Blob([name]) }))

/** Sends two photos, of which the server accepts one. */
async function sendGoodAndBad(): Promise<void> {
  server.http.on("PATCH /attachments/:id", (request) => {
    return (request.body as Blob).size === "bad.jpg".length ? problem(422, "picture_unreadable") : finish(request)
  })
  await client.pendingAttachments.add("kitchen", two, "Kitchen")
  await client.send("kitchen", "Look", client.pendingAttachments.of("kitchen"))
  await eventually(() => expect(client.outbox[0]?.refused).toBe("picture_unreadable"))
}

const finish = (request: HttpRequest) => ({ ...(store(request) as Upload), finished: true })
const refusedMessage = () => client.outbox[0] ?? expect.fail("no message")

test("of several files, the one that the server refuses is named, and its upload is deleted", async () => {
  await sendGoodAndBad()
  expect(refusedMessage().enclosures?.map(({ name, refused }) => [name, refused])).toEqual([
    ["good.jpg", undefined],
    ["bad.jpg", "picture_unreadable"],
  ])
  expect(stored.size).toBe(1)
  expect(messages()).toEqual([])
})

test("the text and the good files are sent without the refused one, and not uploaded again", async () => {
  await sendGoodAndBad()
  await client.sendWithoutRefusedFiles(refusedMessage())
  await eventually(() => expect(messages()).toHaveLength(1))
  expect(messages()[0]).toMatchObject({ body: "Look", attachment_ids: ["upload1"] })
  expect(starts()).toHaveLength(2)
  await eventually(() => expect(client.outbox).toEqual([]))
})

test("a refused message moves back to the composer, before its text, and can be sent again", async () => {
  await sendGoodAndBad()
  client.saveDraft("kitchen", "and hello", "Kitchen")
  await client.pendingAttachments.add("kitchen", [{ kind: "file", name: "third", blob: new Blob(["3"]) }], "Kitchen")
  await client.moveToDraft(refusedMessage())
  expect(client.outbox).toEqual([])
  expect(client.drafts.get("kitchen")?.text).toBe("Look\n\nand hello")
  const attachments = client.pendingAttachments.of("kitchen")
  expect(attachments.map(({ name, refused }) => [name, refused])).toEqual([
    ["good.jpg", undefined],
    ["bad.jpg", "picture_unreadable"],
    ["third", undefined],
  ])
  expect(stored.size).toBe(0)
  const bad = attachments[1]?.key ?? ""
  await client.pendingAttachments.remove("kitchen", bad)
  await client.send("kitchen", "Look", client.pendingAttachments.of("kitchen"))
  await eventually(() => expect(messages()[0]?.attachment_ids).toHaveLength(2))
})

test("a file that was changed or deleted after it had been chosen is named", async () => {
  const file = new File(["letter"], "letter.txt")
  const gone = new Blob(["letter"])
  gone.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"))
  await client.pendingAttachments.add("kitchen", [{ kind: "file", name: "letter.txt", blob: file }], "Kitchen")
  vi.spyOn(client.blobs, "get").mockResolvedValue(Object.assign(new Blob(["letter"]), { slice: () => gone }))
  await client.send("kitchen", "Read", client.pendingAttachments.of("kitchen"))
  await eventually(() => expect(client.outbox[0]?.enclosures?.[0]?.refused).toBe("file_changed"))
  await client.retry("kitchen", refusedMessage().client_id)
  vi.mocked(client.blobs.get).mockResolvedValue(new Blob(["longer letter"]))
  await eventually(() => expect(client.outbox[0]?.enclosures?.[0]?.refused).toBe("file_changed"))
})

test("more files than one message holds are sent in several messages, in order", async () => {
  server.http.on("PATCH /attachments/:id", finish)
  const many = Array.from({ length: 25 }, (_, n) => ({ kind: "image" as const, name: `${n}`, blob: new Blob(["x"]) }))
  await client.pendingAttachments.add("kitchen", many, "Kitchen")
  await client.send("kitchen", "Holidays", client.pendingAttachments.of("kitchen"), "m1")
  expect(client.outbox.map(({ text, enclosures = [] }) => [text, enclosures.length])).toEqual([
    ["Holidays", 10],
    ["", 10],
    ["", 5],
  ])
  expect(client.drafts.get("kitchen")).toBeUndefined()
  await eventually(() => expect(messages()).toHaveLength(3))
  expect(messages().map(({ body, reply_to }) => [body, reply_to])).toEqual([
    ["Holidays", "m1"],
    ["", undefined],
    ["", undefined],
  ])
  expect(starts().map((each) => (each as { name: string }).name)).toEqual(many.map(({ name }) => name))
})

const film = {
  kind: "file" as const,
  name: "swim.mp4",
  blob: new Blob(["film"]),
  video: { width: 640, height: 360, duration_ms: 12_000 },
  picture: new Blob(["poster"]),
}

async function sendVideo(): Promise<void> {
  server.http.on("PATCH /attachments/:id", finish)
  await client.pendingAttachments.add("kitchen", [film], "Kitchen")
  await client.send("kitchen", "", client.pendingAttachments.of("kitchen"))
  await eventually(() => expect(messages()).toHaveLength(1))
}

test("the size, the length and the picture of a video are uploaded before its message is sent", async () => {
  const posters: unknown[] = []
  server.http.on("PUT /attachments/:id/poster", ({ body, path }) => {
    posters.push([path, (body as Blob).size, messages().length])
    return view("upload1")
  })
  await sendVideo()
  expect(starts()).toEqual([{ size: 4, name: "swim.mp4", keep_metadata: false, video: film.video }])
  expect(posters).toEqual([["/attachments/upload1/poster", "poster".length, 0]])
})

test("a server that takes no picture gets the video without", async () => {
  server.http.on("PUT /attachments/:id/poster", () => problem(404, "not_found"))
  await sendVideo()
  expect(messages()[0]).toMatchObject({ attachment_ids: ["upload1"] })
})
