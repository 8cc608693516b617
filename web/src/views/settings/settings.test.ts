// @vitest-environment happy-dom
/** The settings with a real client: the list of pages, and what the pages for this device do. */
import { mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { ChatServer, person } from "../../testing/chat-server"
import { startClient, useFakeBrowser } from "../../testing/client"
import { settle } from "../../testing/clock"
import { PAGES } from "./pages"

useFakeBrowser()

let mounted: object | undefined

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

/** The settings at this page of a user who is in a family with an admin. */
async function open(name: string | undefined, server = new ChatServer()) {
  const client = await startClient(server)
  const { default: Settings } = await import("./Settings.svelte")
  const called = { choose: vi.fn(), leave: vi.fn(), back: vi.fn() }
  mounted = mount(Settings, { target: document.body, props: { client, name, ...called } })
  await tick()
  await settle()
  return { client, ...called }
}

const buttonNamed = (text: string) =>
  [...document.querySelectorAll("button")].find((each) => each.textContent?.trim() === text) ??
  expect.fail(`no button ${text}`)
const texts = () => document.body.textContent?.replace(/\s+/g, " ") ?? ""

test("the list leads to each page, and an unknown page is the list", async () => {
  await open("something-else")
  const links = [...document.querySelectorAll<HTMLAnchorElement>("nav a")].map(({ hash }) => hash)
  expect(links.filter((each) => each.startsWith("#/settings/"))).toEqual(PAGES.map((page) => `#/settings/${page}`))
})

test("a page leads back to the list", async () => {
  const { back, leave } = await open("appearance")
  expect(document.querySelector("h1")?.textContent).toBe("Appearance")
  document.querySelector<HTMLButtonElement>("button.back")?.click()
  expect(back).toHaveBeenCalled()
  expect(leave).not.toHaveBeenCalled()
})

test("the text size changes with the slider, which a screen reader reads in percent", async () => {
  await open("appearance")
  const slider = document.querySelector<HTMLInputElement>("[type=range]")!
  expect(slider.getAttribute("aria-valuetext")).toBe("100%")
  slider.value = "6"
  slider.dispatchEvent(new Event("change", { bubbles: true }))
  await tick()
  expect(slider.getAttribute("aria-valuetext")).toBe("200%")
  expect(document.documentElement.style.getPropertyValue("--text-size")).toBe("2")
})

test("stored media are counted, and removed when asked", async () => {
  const { client } = await open(undefined)
  const stored = vi.spyOn(client.media, "storedBytes").mockResolvedValueOnce(2_500_000).mockResolvedValue(0)
  if (mounted) await unmount(mounted)
  const { default: Storage } = await import("./Storage.svelte")
  mounted = mount(Storage, { target: document.body, props: { client } })
  await settle()
  await tick()
  expect(texts()).toContain("Photos and voice messages that you've seen: 2.5 MB")
  buttonNamed("Remove photos and voice messages from this device").click()
  await settle()
  await tick()
  expect(texts()).toContain("Removed from this device.")
  expect(stored).toHaveBeenCalledTimes(2)
})

test("the admins of the family can be asked for help", async () => {
  const server = new ChatServer()
  server.http.on("GET /families/:id/members", () => ({ members: [{ ...person("inga"), role: "admin" }] }))
  server.http.on("POST /conversations/direct", () => server.add("inga-maja", 0, { type: "direct" }).summary)
  const { choose } = await open("help", server)
  buttonNamed("Ask inga").click()
  await settle()
  expect(choose).toHaveBeenCalledWith("inga-maja")
})

test("the problem report contains facts about the browser, and no names or messages", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  const writeText = vi.fn((_: string) => Promise.resolve())
  vi.stubGlobal("navigator", Object.assign(navigator, { clipboard: { writeText } }))
  await open("help", server)
  buttonNamed("Copy problem report").click()
  await settle()
  const report = writeText.mock.calls[0]?.[0] ?? ""
  expect(report).toContain("Chats: 1, waiting messages: 0")
  expect(report).not.toMatch(/kitchen|maja|message 1/i)
  expect(texts()).toContain("Copied.")
})
