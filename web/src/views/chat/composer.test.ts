// @vitest-environment happy-dom
/** What the composer accepts, announces and gets back. */
import { mount, unmount } from "svelte"
import { afterEach, expect, test, vi } from "vitest"

import { ChatServer } from "../../testing/chat-server"
import { startClient, useFakeBrowser } from "../../testing/client"
import { eventually } from "../../testing/clock"
import { problem } from "../../testing/http-server"
import { refuse } from "../../testing/phoenix-server"
import type { ChatClient } from "../../sync/client.svelte"
import ChatPane from "./ChatPane.svelte"

useFakeBrowser()

let pane: object | undefined

afterEach(async () => {
  if (pane) await unmount(pane)
})

async function open(hover = true): Promise<{ readonly server: ChatServer; readonly client: ChatClient }> {
  vi.spyOn(globalThis, "matchMedia").mockReturnValue({ matches: hover } as MediaQueryList)
  const server = new ChatServer()
  server.add("kitchen", 2)
  const client = await startClient(server)
  vi.stubGlobal("requestAnimationFrame", () => 0)
  pane = mount(ChatPane, { target: document.body, props: { client, id: "kitchen", leave: () => undefined } })
  await eventually(() => expect(box()).toBeTruthy())
  return { server, client }
}

const box = () => document.querySelector("textarea") ?? expect.fail("no text field")
const alerts = () => [...document.querySelectorAll("[role=alert]")].map((each) => each.textContent?.trim())
const buttons = () => [...document.querySelectorAll("button")].map((each) => each.textContent?.trim() ?? "")
const sent = (server: ChatServer) => server.phoenix.payloadsOf("new_msg").map(({ body }) => body)

function type(text: string): void {
  box().value = text
  box().dispatchEvent(new Event("input", { bubbles: true }))
}

/** Presses a key in the text field. Returns whether the browser's default action is still allowed. */
function pressKey(key: string, more: KeyboardEventInit = {}): boolean {
  return box().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }))
}

const pressEnter = () => pressKey("Enter")

function press(label: string): void {
  const button = [...document.querySelectorAll("button")].find((each) => each.textContent?.trim() === label)
  ;(button ?? expect.fail(`no button ${label} among ${buttons().join(", ")}`)).click()
}

/** Pastes a picture into the composer, or drops it on the page, with a text if given. Returns whether the browser's default action is still allowed. */
function transfer(kind: "paste" | "drop", text = ""): boolean {
  const getData = (format: string) => (format === "text/plain" ? text : "")
  const data = { files: [new File(["png"], "image.png", { type: "image/png" })], types: ["Files"], getData }
  const event = new Event(kind, { bubbles: true, cancelable: true })
  const target = kind === "paste" ? box() : window
  return target.dispatchEvent(Object.assign(event, { clipboardData: data, dataTransfer: data }))
}

test("a text that is too long stays, with the excess and the offer to attach it as a file", async () => {
  const { server, client } = await open()
  type("a".repeat(65_636))
  await eventually(() => expect(alerts()[0]).toContain("about 100 characters too long"))
  pressEnter()
  expect(box().value).toHaveLength(65_636)
  press("Attach as a text file")
  await eventually(() =>
    expect(client.pendingAttachments.of("kitchen")).toMatchObject([{ size: 65_636, kind: "file" }]),
  )
  await eventually(() => expect(box().value).toBe(""))
  expect(sent(server)).toEqual([])
})

test("Enter sends, Shift+Enter begins a new line, and an input method keeps its Enter", async () => {
  const { server } = await open()
  expect(box().getAttribute("enterkeyhint")).toBe("send")
  type("Milk")
  for (const more of [{ shiftKey: true }, { isComposing: true }, { keyCode: 229 }]) {
    expect(pressKey("Enter", more)).toBe(true)
  }
  expect(sent(server)).toEqual([])
  expect(pressEnter()).toBe(false)
  await eventually(() => expect(sent(server)).toEqual(["Milk"]))
})

test("on a touch screen Enter begins a new line, and with Control it sends", async () => {
  const { server } = await open(false)
  expect(box().getAttribute("enterkeyhint")).toBe("enter")
  type("Milk")
  expect(pressEnter()).toBe(true)
  expect(sent(server)).toEqual([])
  expect(pressKey("Enter", { ctrlKey: true })).toBe(false)
  await eventually(() => expect(sent(server)).toEqual(["Milk"]))
})

test("in an empty field, the up arrow edits the user's last message", async () => {
  const { server, client } = await open()
  const recent = new Date().toISOString()
  server.conversations.get("kitchen")?.add({ user_id: "maja", body: "Milc", inserted_at: recent })
  await eventually(() => expect(client.conversation("kitchen")?.timeline.last).toBe(3))
  type("words")
  pressKey("ArrowUp")
  await eventually(() => expect(box().value).toBe("words"))
  type("")
  pressKey("ArrowUp")
  await eventually(() => expect(box().value).toBe("Milc"))
  pressKey("Escape")
  await eventually(() => expect(box().value).toBe(""))
})

test("a text of U+0000 alone is nothing to send", async () => {
  const { client } = await open()
  type("\0 ")
  pressEnter()
  expect(client.outbox).toEqual([])
})

test("pasted text wins over a picture of it, and a picture alone is attached", async () => {
  const { client } = await open()
  expect(transfer("paste", "Milk\t2")).toBe(true)
  expect(client.pendingAttachments.of("kitchen")).toEqual([])
  expect(transfer("paste")).toBe(false)
  await eventually(() => expect(client.pendingAttachments.of("kitchen")).toHaveLength(1))
})

test("dropped text is inserted at the cursor, and a picture alone is attached", async () => {
  const { client } = await open()
  type("Buy: ")
  box().setSelectionRange(5, 5)
  expect(transfer("drop", "Milk\t2")).toBe(false)
  expect(box().value).toBe("Buy: Milk\t2")
  expect(client.drafts.get("kitchen")?.text).toBe("Buy: Milk\t2")
  expect(client.pendingAttachments.of("kitchen")).toEqual([])
  transfer("drop")
  await eventually(() => expect(client.pendingAttachments.of("kitchen")).toHaveLength(1))
})

test("files beyond the limit of one message are announced as several messages", async () => {
  const { client } = await open()
  const many = Array.from({ length: 15 }, (_, n) => ({ kind: "file" as const, name: `${n}`, blob: new Blob(["x"]) }))
  await client.pendingAttachments.add("kitchen", many, "Kitchen")
  await eventually(() => expect(document.body.textContent).toContain("15 files. They will be sent in 2 messages."))
})

test("a refused message is edited in the composer, before the text that is there", async () => {
  const { server } = await open()
  server.phoenix.handle(/^message:/, "new_msg", () => refuse("invalid_message"))
  type("refused")
  pressEnter()
  await eventually(() => expect(buttons()).toContain("Edit"))
  expect(buttons()).not.toContain("Try again")
  type("newer")
  press("Edit")
  await eventually(() => expect(box().value).toBe("refused\n\nnewer"))
  await eventually(() => expect(buttons()).not.toContain("Edit"))
})

test("a refused file is named, and the message can be sent without it", async () => {
  const { server, client } = await open()
  server.http.on("POST /conversations/kitchen/attachments", () => problem(413, "file_too_large"))
  await client.pendingAttachments.add("kitchen", [{ kind: "file", name: "film.mov", blob: new Blob(["x"]) }], "Kitchen")
  await client.send("kitchen", "Look", client.pendingAttachments.of("kitchen"))
  await eventually(() => expect(document.body.textContent).toContain("Not sent. film.mov: This file is too large"))
  press("Send without film.mov")
  await eventually(() => expect(sent(server)).toEqual(["Look"]))
})
