// @vitest-environment happy-dom
/** The page of a person with a real client: shared chats, a direct chat, mute and block. */
import { mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { formatUntil } from "../format/date-format"
import { ChatServer } from "../../testing/chat-server"
import { startClient, useFakeBrowser } from "../../testing/client"
import { settle } from "../../testing/clock"
import PersonPage from "./PersonPage.svelte"

useFakeBrowser()

let mounted: object | undefined

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

const pair = ["maja", "inga"].map((user_id) => ({ user_id, role: "member" as const }))

/** Inga's page, as Maja sees it. */
async function open(server: ChatServer, blocked = false) {
  const blocks = blocked ? [{ user_id: "inga", blocked_at: "2026-11-01T00:00:00Z" }] : []
  server.http.on("GET /me/blocks", () => ({ blocks }))
  server.http.on("PUT /me/blocks/:id", () => new Response(null, { status: 204 }))
  const client = await startClient(server)
  const called = { choose: vi.fn(), leave: vi.fn() }
  mounted = mount(PersonPage, { target: document.body, props: { client, userId: "inga", ...called } })
  await settle()
  await tick()
  return { client, ...called }
}

const buttonNamed = (text: string) =>
  [...document.querySelectorAll("button")].find((each) => each.textContent?.trim() === text) ??
  expect.fail(`no button ${text}`)
const links = () => [...document.querySelectorAll("a")].map(({ hash }) => hash)

test("the chats with this person are listed, and no others", async () => {
  const server = new ChatServer()
  server.add("kitchen", 1)
  server.add("inga-maja", 1, { type: "direct", members: pair })
  server.add("cellar", 1, { members: [{ user_id: "maja", role: "member" }] })
  const { choose } = await open(server)
  expect(document.querySelector("h1")?.textContent).toBe("inga")
  expect(links().sort()).toEqual(["#/c/inga-maja", "#/c/kitchen"])
  buttonNamed("Send a message").click()
  expect(choose).toHaveBeenCalledWith("inga-maja")
})

test("a message to a person without a direct chat begins one", async () => {
  const server = new ChatServer()
  server.http.on("POST /conversations/direct", () => server.add("new", 0, { type: "direct", members: pair }).summary)
  const { choose } = await open(server)
  buttonNamed("Send a message").click()
  await settle()
  expect(choose).toHaveBeenCalledWith("new")
})

test("blocking asks first, and unblocking is offered afterwards", async () => {
  const server = new ChatServer()
  await open(server)
  buttonNamed("Block inga").click()
  await tick()
  expect(server.http.requestsTo("PUT /me/blocks/inga")).toHaveLength(0)
  buttonNamed("Block inga").click()
  await settle()
  await tick()
  expect(server.http.requestsTo("PUT /me/blocks/inga")).toHaveLength(1)
  buttonNamed("Unblock")
})

test("the direct chat is muted here, and its end is shown", async () => {
  const server = new ChatServer()
  const until = new Date(Date.now() + 2 * 86_400_000).toISOString()
  const direct = server.add("inga-maja", 1, { type: "direct", members: pair, muted_until: until })
  server.http.on("DELETE /conversations/:id/muted", () => ({ ...direct.summary, muted_until: null }))
  await open(server, true)
  const choice = document.querySelector("select")!
  expect(choice.value).toBe("until")
  expect(choice.selectedOptions[0]?.textContent).toBe(`Muted until ${formatUntil("en-US", until, new Date())}`)
  choice.value = "not"
  choice.dispatchEvent(new Event("change", { bubbles: true }))
  await settle()
  await tick()
  expect(choice.value).toBe("not")
})
