// @vitest-environment happy-dom
/** The search within one chat: from result to result, while texts are added and removed. */
import { mount, tick, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { MessageSelection } from "../chat/selection.svelte"
import { startClient, useFakeBrowser } from "../../testing/client"
import { ChatServer, type ServerConversation } from "../../testing/chat-server"
import { pass, settle } from "../../testing/clock"
import ChatSearch from "./ChatSearch.svelte"

useFakeBrowser()

let mounted: object | undefined

afterEach(async () => {
  if (mounted) await unmount(mounted)
  mounted = undefined
  document.body.innerHTML = ""
})

/** A chat with three messages about a pump, and its search. */
async function open(text: string) {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 6)
  for (const seq of [1, 3, 5]) kitchen.change(seq, { body: `pump ${seq}` }, true)
  const client = await startClient(server)
  await client.loadSearch()
  await pass(1_000)
  const selection = new MessageSelection()
  const close = vi.fn()
  mounted = mount(ChatSearch, { target: document.body, props: { client, id: "kitchen", close, selection } })
  await tick()
  const field = document.querySelector("input")!
  field.value = text
  field.dispatchEvent(new Event("input", { bubbles: true }))
  await pass(500)
  return { kitchen, selection, close, field }
}

const status = () => document.querySelector("[role=status]")?.textContent
const press = (element: Element, key: string, shiftKey = false) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }))

async function remove(kitchen: ServerConversation, seq: number): Promise<void> {
  kitchen.change(seq, { body: null, deleted_at: "2026-11-23T12:00:00Z", deleted_by: "inga" })
  await pass(500)
}

test("the newest result is shown first, Enter goes to earlier ones and round, Shift+Enter back", async () => {
  const { selection, field } = await open("pump")
  expect([status(), selection.target]).toEqual(["1 of 3", 5])
  press(field, "Enter")
  await tick()
  expect([status(), selection.target]).toEqual(["2 of 3", 3])
  press(field, "Enter")
  press(field, "Enter")
  await tick()
  expect([status(), selection.target]).toEqual(["1 of 3", 5])
  press(field, "Enter", true)
  await tick()
  expect([status(), selection.target]).toEqual(["3 of 3", 1])
})

test("the result that is shown stays when others are added or removed", async () => {
  const { kitchen, selection, field } = await open("pump")
  press(field, "Enter")
  selection.target = undefined
  kitchen.add({ body: "the pump is repaired" })
  await pass(500)
  expect([status(), selection.target]).toEqual(["3 of 4", undefined])
  await remove(kitchen, 5)
  expect([status(), selection.target]).toEqual(["2 of 3", undefined])
})

test("nothing found, and Escape", async () => {
  const { close, field } = await open("ferry")
  expect(status()).toBe("Nothing found for “ferry”.")
  press(field, "Escape")
  expect(close).toHaveBeenCalled()
  await settle()
})
