// @vitest-environment happy-dom
/** The photo viewer: from photo to photo of a chat, by buttons and keys. */
import { mount, tick, unmount } from "svelte"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import type { Attachment } from "../../../api/types"
import { attachment } from "../../../models/fixtures"
import type { ChatClient } from "../../../sync/client.svelte"
import { conversationOf, startClient, useFakeBrowser } from "../../../testing/client"
import { ChatServer } from "../../../testing/chat-server"
import { pass } from "../../../testing/clock"
import PhotoViewer from "./PhotoViewer.svelte"

useFakeBrowser()

let mounted: object | undefined

// happy-dom loads no images and has no layout.
beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: true }))
  vi.spyOn(HTMLImageElement.prototype, "src", "set").mockImplementation(function (this: HTMLImageElement, url) {
    this.setAttribute("src", url)
    queueMicrotask(() => this.onload?.(new Event("load")))
  })
  HTMLImageElement.prototype.decode = async () => undefined
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(390)
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(844)
})

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

function photo(id: string): Attachment {
  return { ...attachment, id, name: `${id}.jpg`, content_type: "image/jpeg", width: 800, height: 600, thumbnail: true }
}

/** A chat with an album of two photos, a text and another photo; the viewer shows one of them. */
async function open(seq: number, place: number) {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 0)
  kitchen.add({ attachments: [photo("lake"), photo("boat")], body: "Summer", user_id: "inga" })
  kitchen.add()
  kitchen.add({ attachments: [photo("bun")], body: "", user_id: "maja" })
  const client = await startClient(server)
  conversationOf(client).loadOlder()
  await pass(500)
  vi.spyOn(client.media, "find").mockImplementation(async (_, { id }) => new Blob([id]))
  const close = vi.fn()
  const message = conversationOf(client).timeline.messages[seq - 1]!
  const opened = { message, attachment: message.attachments[place]!, tile: document.createElement("button") }
  const show = vi.fn()
  mounted = mount(PhotoViewer, { target: document.body, props: { client, opened, show, close } })
  await settled()
  return { client, kitchen, show, close }
}

async function settled() {
  await tick()
  await pass(500)
}

const dialog = () => document.querySelector("dialog")!
const status = () => document.querySelector("[role=status] .unseen")?.textContent
const shown = () =>
  document.querySelector<HTMLImageElement>("[aria-hidden=false] img.pswp__img:not([aria-hidden])")?.alt
const button = (label: string) => document.querySelector<HTMLButtonElement>(`[aria-label="${label}"]`)

async function press(key: string) {
  dialog().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }))
  await settled()
}

test("the photo that was pressed is shown, with its sender, its place among all photos and the text below", async () => {
  await open(1, 1)
  expect(dialog().open).toBe(true)
  expect([status(), shown()]).toEqual(["Photo 2 of 3", "Photo: boat.jpg"])
  expect(document.querySelector(".caption")?.textContent).toBe("Summer")
})

test("the buttons and the arrow keys go through all photos of the chat, and end at the first and the last", async () => {
  await open(1, 1)
  button("Next photo")!.click()
  await settled()
  expect([status(), shown()]).toEqual(["Photo 3 of 3", "Photo: bun.jpg"])
  expect(button("Next photo")).toBeNull()
  await press("ArrowLeft")
  expect(status()).toBe("Photo 2 of 3")
  await press("Home")
  expect([status(), shown()]).toEqual(["Photo 1 of 3", "Photo: lake.jpg"])
  expect(button("Previous photo")).toBeNull()
  await press("End")
  expect(status()).toBe("Photo 3 of 3")
})

test("a photo that arrives meanwhile is added, and one that is deleted closes the viewer", async () => {
  const { kitchen, close } = await open(3, 0)
  kitchen.add({ attachments: [photo("cake")] })
  await settled()
  expect([status(), shown()]).toEqual(["Photo 3 of 4", "Photo: bun.jpg"])
  kitchen.change(3, { body: null, attachments: [], deleted_at: "2026-11-23T12:00:00Z", deleted_by: "maja" })
  await settled()
  expect(close).toHaveBeenCalledOnce()
})

test("Save stores the photo that is shown under its name", async () => {
  const saved: string[] = []
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    saved.push(this.download)
  })
  await open(1, 0)
  await press("s")
  button("Save")!.click()
  await settled()
  expect(saved).toEqual(["lake.jpg", "lake.jpg"])
})

test("a photo that is neither on this device nor available says so", async () => {
  const { client } = await open(1, 0)
  unavailable(client)
  await press("End")
  expect(dialog().textContent).toContain("This photo isn't available right now.")
})

function unavailable(client: ChatClient) {
  vi.mocked(client.media.find).mockResolvedValue(undefined)
}

test("an edit of the text shows the new one", async () => {
  const { kitchen } = await open(1, 0)
  kitchen.change(1, { body: "Winter" })
  await settled()
  expect(document.querySelector(".caption")?.textContent).toBe("Winter")
})

test("a video among the photos has its own player instead of zoom", async () => {
  const { kitchen } = await open(3, 0)
  const video = { width: 640, height: 360, duration_ms: 12_000, poster: false }
  const film = { ...attachment, id: "swim", name: "swim.mp4", content_type: "video/mp4", video }
  kitchen.add({ attachments: [film] })
  await settled()
  await press("End")
  expect(status()).toBe("Photo 4 of 4")
  expect(document.querySelector("[aria-hidden=false] .start")?.getAttribute("aria-label")).toBe("Play swim.mp4")
  expect(button("Zoom")).toBeNull()
})

test("“Show in chat” closes it and shows the message", async () => {
  const { show, close } = await open(1, 1)
  button("Show in chat")!.click()
  await settled()
  expect([show.mock.calls, close.mock.calls.length]).toEqual([[[1]], 1])
})

test("the back button of the browser closes it", async () => {
  const { close } = await open(1, 0)
  expect(history.state).toEqual({ viewer: true })
  history.replaceState(null, "")
  window.dispatchEvent(new PopStateEvent("popstate"))
  await settled()
  expect(close).toHaveBeenCalledOnce()
})

test("Close closes it", async () => {
  const { close } = await open(1, 0)
  button("Close")!.click()
  await settled()
  expect(close).toHaveBeenCalledOnce()
})
