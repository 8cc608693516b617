// @vitest-environment happy-dom
/** The search pane with a real client: names, messages, keys, and what it says about the filling. */
import { mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import type { ChatClient } from "../../sync/client.svelte"
import { startClient, useFakeBrowser } from "../../testing/client"
import { ChatServer } from "../../testing/chat-server"
import { eventually, pass, settle } from "../../testing/clock"
import SearchPane from "./SearchPane.svelte"

useFakeBrowser()

const MAX_STEPS = 50
let mounted: object | undefined

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

/** A client whose search contains everything, and the pane with this query. */
async function open(server: ChatServer, query: string, change: Partial<Record<string, unknown>> = {}) {
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      observe() {}
      disconnect() {}
    },
  )
  const client = await startClient(server)
  await client.loadSearch()
  await settle()
  for (let step = 0; step < MAX_STEPS && client.search?.incomplete.size !== 0; step += 1) await pass(250)
  return await show(client, query, change)
}

async function show(client: ChatClient, query: string, change: Partial<Record<string, unknown>> = {}) {
  const called = { changeQuery: vi.fn(), choose: vi.fn(), showMessage: vi.fn(), close: vi.fn() }
  const props = { client, query, chosen: undefined, focusRequest: 0, ...called, ...change }
  mounted = mount(SearchPane, { target: document.body, props })
  await tick()
  await pass(100)
  return { client, ...called }
}

const links = () => [...document.querySelectorAll<HTMLAnchorElement>("li > a")].map(({ hash }) => hash)
const press = (key: string) =>
  document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }))
const texts = () => document.body.textContent?.replace(/\s+/g, " ") ?? ""

test("chats come first, then messages with their hits marked, each a link to its place", async () => {
  const server = new ChatServer()
  server.add("kitchen", 2)
  server.add("ferry plans", 0).add({ body: "When does the Ferry leave?" }, true)
  await open(server, "ferry")
  expect(links()).toEqual(["#/c/ferry plans", "#/c/ferry plans/1"])
  expect(document.querySelector("mark")?.textContent).toBe("Ferry")
})

test("the arrow keys move through the results and back to the field, Enter opens the first, Escape closes", async () => {
  const server = new ChatServer()
  server.add("kitchen", 2)
  const { choose, close } = await open(server, "kitchen")
  const field = document.querySelector("input")
  await eventually(() => expect(document.activeElement).toBe(field))
  press("ArrowDown")
  expect((document.activeElement as HTMLAnchorElement).hash).toBe("#/c/kitchen")
  press("ArrowUp")
  expect(document.activeElement).toBe(field)
  press("Enter")
  expect(choose).toHaveBeenCalledWith("kitchen")
  press("Escape")
  expect(close).toHaveBeenCalled()
})

test("a found message is shown when its link is pressed", async () => {
  const server = new ChatServer()
  server.add("kitchen", 2)
  const { showMessage } = await open(server, "message 2")
  document.querySelector<HTMLAnchorElement>('[href="#/c/kitchen/2"]')?.click()
  expect(showMessage).toHaveBeenCalledWith("kitchen", 2)
})

test("a person without a direct chat can be found, and the press starts one", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  server.http.on("POST /conversations/direct", () => server.add("inga-maja", 0, { type: "direct" }).summary)
  const { choose } = await open(server, "inga")
  document.querySelector<HTMLButtonElement>("li > button")?.click()
  await settle()
  expect(server.http.requestsTo("POST /conversations/direct")[0]?.body).toEqual({
    user_id: "inga",
    family_id: "sundqvist",
  })
  expect(choose).toHaveBeenCalledWith("inga-maja")
})

test("typing changes the query, and a query without hits says so", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  const { changeQuery } = await open(server, "pump")
  expect(texts()).toContain("Nothing found for “pump”.Try fewer letters or another word.")
  const field = document.querySelector("input")!
  field.value = "pumps"
  field.dispatchEvent(new Event("input", { bubbles: true }))
  expect(changeQuery).toHaveBeenCalledWith("pumps")
})

test("on a metered network it says how far it searched, and continues when asked", async () => {
  const server = new ChatServer()
  server.add("kitchen", 300)
  vi.stubGlobal(
    "navigator",
    Object.assign(navigator, { connection: Object.assign(new EventTarget(), { saveData: true }) }),
  )
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      observe() {}
      disconnect() {}
    },
  )
  const client = await startClient(server)
  await client.loadSearch()
  await pass(500)
  await show(client, "message")
  expect(texts()).toContain(
    "Searched back to November 23. Older messages are added on Wi-Fi, when the battery isn't low.",
  )
  const now = [...document.querySelectorAll("button")].find((each) => each.textContent === "Search older messages now")
  now?.click()
  await pass(250)
  expect(server.http.requestsTo("GET /conversations/kitchen/messages").length).toBeGreaterThan(0)
})

test("queries that led to a message are offered again, until they are cleared", async () => {
  const server = new ChatServer()
  server.add("kitchen", 2)
  const { client } = await open(server, "message 2")
  document.querySelector<HTMLAnchorElement>('[href="#/c/kitchen/2"]')?.click()
  await settle()
  if (mounted) await unmount(mounted)
  const { changeQuery } = await show(client, "")
  const buttons = () => [...document.querySelectorAll("button")]
  buttons()
    .find((each) => each.textContent?.trim() === "message 2")
    ?.click()
  expect(changeQuery).toHaveBeenCalledWith("message 2")
  buttons()
    .find((each) => each.textContent === "Clear recent searches")
    ?.click()
  await settle()
  expect(texts()).not.toContain("message 2 Clear")
  expect(texts()).not.toContain("Recent searches")
})

test("an empty field shows the latest chats, five at first", async () => {
  const server = new ChatServer()
  for (const name of ["a", "b", "c", "d", "e", "f"]) server.add(name, 1)
  await open(server, "")
  expect(links()).toHaveLength(5)
  ;[...document.querySelectorAll("button")].find((each) => each.textContent === "Show all")?.click()
  await settle()
  expect(links()).toHaveLength(6)
})
