// @vitest-environment happy-dom
/** The media, files and links of a chat, as far as its messages are on this device. */
import { mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { attachment } from "../../models/fixtures"
import { conversationOf, startClient, useFakeBrowser } from "../../testing/client"
import { ChatServer } from "../../testing/chat-server"
import { pass } from "../../testing/clock"
import Gallery from "./Gallery.svelte"
import { MessageSelection } from "./selection.svelte"

useFakeBrowser()

let mounted: object | undefined

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

async function open() {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 0)
  const photo = { ...attachment, id: "p", content_type: "image/jpeg", thumbnail: true, width: 4, height: 3 }
  kitchen.add({ attachments: [photo, { ...photo, id: "q" }], user_id: "inga" })
  kitchen.add({ attachments: [{ ...attachment, id: "f", name: "plan.pdf" }] })
  kitchen.add({ body: "See https://example.org/bun" })
  const client = await startClient(server)
  conversationOf(client).loadOlder()
  await pass(500)
  vi.spyOn(client.media, "find").mockResolvedValue(undefined)
  const [selection, close] = [new MessageSelection(), vi.fn()]
  mounted = mount(Gallery, { target: document.body, props: { client, id: "kitchen", selection, close } })
  await tick()
  return { selection, close }
}

const text = () => document.querySelector("dialog")!.textContent
const labels = (beginning: string) =>
  [...document.querySelectorAll(`[aria-label^="${beginning}"]`)].map((each) => each.getAttribute("aria-label"))

async function press(name: string) {
  const buttons = [...document.querySelectorAll("button")]
  buttons.find((each) => each.textContent.trim() === name)!.click()
  await tick()
}

test("it opens with the photos, and shows files and links on request", async () => {
  await open()
  expect(labels("Photo")).toHaveLength(2)
  expect(text()).toContain("November 2026")
  await press("Files")
  expect([labels("Photo"), labels("Save")]).toEqual([[], ["Save plan.pdf"]])
  await press("Links")
  const link = document.querySelector("a")
  expect([link?.href, link?.rel]).toEqual(["https://example.org/bun", "noopener noreferrer nofollow"])
})

test("a link leads to its message", async () => {
  const { selection, close } = await open()
  await press("Links")
  document.querySelector<HTMLButtonElement>("[aria-label^='Show in chat']")!.click()
  expect([close.mock.calls.length, selection.target]).toEqual([1, 3])
})
