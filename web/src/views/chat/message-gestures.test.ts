// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { ApiError } from "../../api/http"
import type { Message } from "../../api/types"
import { NO_MARKS, type Mark } from "../../models/messages/marks"
import { conversation, message } from "../../models/fixtures"
import type { ChatClient } from "../../sync/client.svelte"
import { listenForGestures } from "./message-gestures"
import { MessageSelection } from "./selection.svelte"

const own = message(1, { user_id: "maja", inserted_at: new Date().toISOString() })
const set = vi.fn<(message: Message, mark: Mark, marked: boolean) => Promise<void>>()
const client = {
  me: { id: "maja" },
  info: () => conversation("kitchen"),
  conversation: () => ({ marked: { marks: NO_MARKS, set } }),
  reader: { read: () => ({ kind: "text", text: "Milk" }) },
} as unknown as ChatClient
let selection: MessageSelection
let end: () => void

beforeEach(() => {
  vi.useFakeTimers()
  document.body.innerHTML = `<ul><li data-entry="m1" tabindex="-1"><div class="bubble"><p>Milk</p><a href="#x">x</a></div></li>
    <li data-entry="waiting" tabindex="-1"><div class="bubble"><p>Bread</p></div></li></ul>`
  selection = new MessageSelection()
  const itemOf = (entry: string) => (entry === "m1" ? { id: entry, kind: "stored", message: own } : undefined) as never
  end = listenForGestures(find("ul"), { client, id: "kitchen", selection, itemOf })
})

afterEach(() => {
  end()
  vi.useRealTimers()
})

const find = (selector: string) => document.querySelector<HTMLElement>(selector) ?? expect.fail(selector)

function touch(type: string, x: number, y: number, selector = "[data-entry=m1] p", pointerId = 1): void {
  const at = { bubbles: true, pointerType: "touch", isPrimary: pointerId === 1, pointerId, clientX: x, clientY: y }
  find(selector).dispatchEvent(new PointerEvent(type, at))
}

/** Returns whether the browser shows its own menu. */
function rightClick(selector: string, button = 2): boolean {
  const event = new MouseEvent("contextmenu", { bubbles: true, cancelable: true, button, clientX: 30, clientY: 40 })
  return find(selector).dispatchEvent(event)
}

test("a finger that is held opens the menu", () => {
  touch("pointerdown", 100, 100)
  vi.advanceTimersByTime(449)
  expect(selection.menu).toBeUndefined()
  vi.advanceTimersByTime(1)
  expect(selection.menu?.message).toBe(own)
  const lifted = new Event("touchend", { bubbles: true, cancelable: true })
  expect(find("p").dispatchEvent(lifted)).toBe(false) // it does not press the menu that is now below it
})

test("a finger that moves, is lifted or is joined by another opens no menu", () => {
  for (const end of [
    () => touch("pointermove", 100, 111),
    () => touch("pointerup", 100, 100),
    () => touch("pointerdown", 200, 100, "p", 2),
    () => touch("pointercancel", 100, 100),
  ]) {
    touch("pointerdown", 100, 100)
    end()
    vi.advanceTimersByTime(1_000)
  }
  expect(selection.menu).toBeUndefined()
})

test("a swipe moves the message and replies, and a short one does not", () => {
  for (const [x, moved] of [
    [160, "translateX(60px)"],
    [300, "translateX(96px)"],
  ] as const) {
    expect(selection.reply).toBeUndefined()
    touch("pointerdown", 100, 100)
    touch("pointermove", 115, 100)
    touch("pointermove", x, 100)
    expect(find("[data-entry=m1]").style.transform).toBe(moved)
    touch("pointerup", x, 100)
    expect(find("[data-entry=m1]").style.transform).toBe("")
  }
  expect(selection.reply).toBe(own)
  expect(selection.menu).toBeUndefined()
})

test("a message that waits to be sent has no menu and does not move", () => {
  touch("pointerdown", 100, 100, "[data-entry=waiting] p")
  touch("pointermove", 200, 100, "[data-entry=waiting] p")
  expect(find("[data-entry=waiting]").style.transform).toBe("")
  expect(rightClick("[data-entry=waiting] p")).toBe(true)
  expect(selection.menu).toBeUndefined()
})

test("a right-click opens the menu at the pointer, and a link keeps the menu of the browser", () => {
  expect(rightClick("a")).toBe(true)
  expect(selection.menu).toBeUndefined()
  expect(rightClick("[data-entry=m1] p")).toBe(false)
  expect(selection.menu).toMatchObject({ message: own, at: { x: 30, y: 40 } })
})

test("the menu key opens the menu of the message that has the focus", () => {
  expect(rightClick("[data-entry=m1]", 0)).toBe(false)
  expect(selection.menu).toMatchObject({ message: own, at: undefined })
})

test("a double-click on the empty part opens the menu, and on the text it selects a word", () => {
  find("p").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }))
  expect(selection.menu).toBeUndefined()
  find(".bubble").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }))
  expect(selection.menu?.message).toBe(own)
})

test("a key stars a message, and the menu says if that is refused", async () => {
  const press = () => find("[data-entry=m1]").dispatchEvent(new KeyboardEvent("keydown", { key: "s", bubbles: true }))
  set.mockResolvedValueOnce()
  press()
  await vi.advanceTimersByTimeAsync(0)
  expect(set).toHaveBeenLastCalledWith(own, "star", true)
  expect(selection.menu).toBeUndefined()
  set.mockRejectedValueOnce(new ApiError(409, "too_many_marks"))
  press()
  await vi.advanceTimersByTimeAsync(0)
  expect(selection.menu).toMatchObject({ message: own, fault: new ApiError(409, "too_many_marks") })
})

test("keys act on the message that has the focus, and combinations belong to the browser", () => {
  const press = (key: string, more = {}) =>
    find("[data-entry=m1]").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }))
  press("r", { ctrlKey: true })
  expect(selection.reply).toBeUndefined()
  press("r")
  expect(selection.reply).toBe(own)
  press("e")
  expect([selection.reply, selection.edit]).toEqual([undefined, own])
  press("i")
  expect(selection.info).toBe(own)
  press("Delete")
  expect(selection.menu).toMatchObject({ message: own, step: "delete" })
  press("ArrowDown")
  expect(document.activeElement).toBe(find("[data-entry=waiting]"))
})
