// @vitest-environment happy-dom
/** A video in its bubble: what is loaded, and what happens when its URL expires. */
import { mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { attachment, message } from "../../../models/fixtures"
import { ChatClient } from "../../../sync/client.svelte"
import { startClient, useFakeBrowser } from "../../../testing/client"
import { ChatServer } from "../../../testing/chat-server"
import { settle } from "../../../testing/clock"
import { player } from "../voice/playback.svelte"
import Video from "./Video.svelte"

useFakeBrowser()

let mounted: object | undefined

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

/** A video whose signed URLs are these, one after the other. */
async function show(...urls: readonly string[]) {
  const client = await startClient(new ChatServer())
  const open = vi.spyOn(client.signedUrls, "open")
  for (const file of urls) open.mockResolvedValueOnce({ kind: "open", file, thumbnail: null })
  const film = { ...attachment, name: "swim.mp4", content_type: "video/mp4" }
  mounted = mount(Video, { target: document.body, props: { client, message: message(1), attachment: film } })
  await tick()
  return open
}

const video = () => document.querySelector("video")

async function press() {
  document.querySelector("button")!.click()
  await settle()
  await tick()
}

async function fail() {
  video()!.dispatchEvent(new Event("error"))
  await settle()
  await tick()
}

test("nothing is requested before the user presses Play, and then the browser loads what it plays", async () => {
  const open = await show("/files/one")
  expect([open.mock.calls.length, video()]).toEqual([0, null])
  expect(document.querySelector("button")?.getAttribute("aria-label")).toBe("Play swim.mp4")
  await press()
  expect([video()?.getAttribute("src"), video()?.hasAttribute("controls")]).toEqual(["/files/one", true])
})

test("a URL that expired is renewed, and the video continues where it was", async () => {
  await show("/files/one", "/files/two")
  await press()
  video()!.currentTime = 42
  await fail()
  expect(video()?.getAttribute("src")).toBe("/files/two")
  video()!.currentTime = 0
  video()!.dispatchEvent(new Event("loadedmetadata"))
  expect(video()?.currentTime).toBe(42)
})

test("a video that the browser cannot play says so", async () => {
  await show("/files/one", "/files/one")
  await press()
  await fail()
  expect(video()).toBeNull()
  expect(document.body.textContent).toContain("This browser can't play this video.")
})

test("without a connection, the user can try again", async () => {
  await show("/files/one", "/files/one")
  await press()
  vi.spyOn(ChatClient.prototype, "connection", "get").mockReturnValue("connecting")
  await fail()
  expect([video(), document.querySelector("[role=alert]") !== null]).toEqual([null, true])
  await press()
  expect(video()?.getAttribute("src")).toBe("/files/one")
})

test("a video pauses the voice message that plays", async () => {
  const pause = vi.spyOn(player, "pause")
  await show("/files/one")
  await press()
  video()!.dispatchEvent(new Event("play"))
  expect(pause).toHaveBeenCalledOnce()
})

test("a video pauses when another one plays", async () => {
  await show("/files/one")
  await press()
  const pause = vi.spyOn(video()!, "pause")
  const other = document.body.appendChild(document.createElement("video"))
  other.dispatchEvent(new Event("play"))
  expect(pause).toHaveBeenCalledOnce()
})
