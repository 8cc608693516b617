// @vitest-environment happy-dom
/** The chat list with a real client: what a row says about its chat, and the sections below. */
import { createRawSnippet, mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { ChatServer } from "../../testing/chat-server"
import { startClient, useFakeBrowser } from "../../testing/client"
import { settle } from "../../testing/clock"
import ChatPane from "../chat/ChatPane.svelte"
import JumpButton from "../chat/JumpButton.svelte"
import ConversationPane from "./ConversationPane.svelte"

useFakeBrowser()

const mounted: object[] = []

afterEach(async () => {
  await Promise.all(mounted.splice(0).map((each) => unmount(each)))
  document.body.innerHTML = ""
})

async function show(server: ChatServer, chosen?: string) {
  const client = await startClient(server)
  const called = { choose: vi.fn(), invite: vi.fn(), startChat: vi.fn(), search: vi.fn() }
  const notices = createRawSnippet(() => ({ render: () => "<p></p>" }))
  const props = { client, chosen, settings: false, notices, ...called }
  mounted.push(mount(ConversationPane, { target: document.body, props }))
  await tick()
  return client
}

const row = (id: string) => document.querySelector(`a[href="#/c/${id}"]`)?.textContent?.replace(/\s+/g, " ").trim()

test("a row shows the draft of its chat, unless the chat is open", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  server.add("cellar", 1)
  const client = await show(server, "cellar")
  client.saveDraft("kitchen", "Who buys milk?", "")
  client.saveDraft("cellar", "And who bread?", "")
  await settle()
  expect(row("kitchen")).toContain("Draft: Who buys milk?")
  expect(row("cellar")).not.toContain("Draft")
  client.saveDraft("kitchen", "", "")
  await settle()
  expect(row("kitchen")).not.toContain("Draft")
})

test("a muted chat is marked as muted, with and without unread messages", async () => {
  const server = new ChatServer()
  const muted_until = "9999-01-01T00:00:00Z"
  server.add("kitchen", 1, { muted_until, unread: 3 })
  server.add("cellar", 1, { muted_until })
  await show(server)
  expect(row("kitchen")).toContain("Muted")
  expect(row("kitchen")).toContain("3 unread messages")
  expect(row("cellar")).toContain("Muted")
})

test("a pinned chat comes first, and a chat that is marked as unread says so", async () => {
  const server = new ChatServer()
  server.add("kitchen", 2)
  server.add("cellar", 0, { pinned: true })
  server.add("attic", 0, { marked_unread: true })
  await show(server)
  const first = document.querySelector("nav li a")
  expect(first?.getAttribute("href")).toBe("#/c/cellar")
  expect(row("cellar")).toContain("Pinned")
  expect(row("attic")).toContain("Marked as unread")
  expect(row("kitchen")).not.toMatch(/Pinned|Marked/)
})

test("opening a chat removes its unread mark, on all devices", async () => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  )
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 1, { marked_unread: true })
  server.http.on("DELETE /conversations/:id/marked-unread", () => ({ ...kitchen.summary, marked_unread: false }))
  const client = await startClient(server)
  expect(server.http.requestsTo("DELETE /conversations/kitchen/marked-unread")).toHaveLength(0)
  mounted.push(mount(ChatPane, { target: document.body, props: { client, id: "kitchen", leave: vi.fn() } }))
  await settle()
  expect(client.info("kitchen")?.marked_unread).toBe(false)
})

test("hidden and archived chats are in sections of their own", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  server.add("cellar", 1, { hidden: true })
  server.add("attic", 1, { archived: true })
  await show(server)
  const sections = [...document.querySelectorAll("details")].map((each) => [
    each.querySelector("summary")?.textContent,
    ...[...each.querySelectorAll("a")].map(({ hash }) => hash),
  ])
  expect(sections).toEqual([
    ["Hidden until the next message (1)", "#/c/cellar"],
    ["Archived (1)", "#/c/attic"],
  ])
})

test("the button to the latest message says how many are unread", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  const client = await startClient(server)
  const jump = vi.fn()
  mounted.push(mount(JumpButton, { target: document.body, props: { client, id: "kitchen", jump } }))
  expect(document.querySelector("button")?.textContent?.trim()).toBe("")
  server.pushToUser("unread", { conversation_id: "kitchen", unread: 120 })
  await tick()
  expect(document.querySelector("button > .count")?.textContent).toBe("99+")
  expect(document.getElementById("jump-unread")?.textContent).toBe("120 unread messages")
  document.querySelector("button")?.click()
  expect(jump).toHaveBeenCalled()
})
