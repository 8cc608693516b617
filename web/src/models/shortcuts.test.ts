// @vitest-environment happy-dom
import { expect, test } from "vitest"

import { opensSearch, opensShortcuts } from "./shortcuts"

function pressed(key: string, more: KeyboardEventInit = {}, element = "button"): KeyboardEvent {
  const target = document.body.appendChild(document.createElement(element))
  const event = new KeyboardEvent("keydown", { key, bubbles: true, ...more })
  target.dispatchEvent(event)
  return event
}

test("Ctrl+K and Command+K open the search, also in a text field", () => {
  expect(opensSearch(pressed("k", { ctrlKey: true }, "textarea"))).toBe(true)
  expect(opensSearch(pressed("k", { metaKey: true }))).toBe(true)
  for (const more of [{}, { ctrlKey: true, shiftKey: true }, { ctrlKey: true, altKey: true }]) {
    expect(opensSearch(pressed("k", more))).toBe(false)
  }
})

test("a question mark lists the shortcuts, unless it is typed or turned off", () => {
  expect(opensShortcuts(pressed("?", { shiftKey: true }), true)).toBe(true)
  expect(opensShortcuts(pressed("?", { shiftKey: true }), false)).toBe(false)
  expect(opensShortcuts(pressed("?", { shiftKey: true }, "textarea"), true)).toBe(false)
  expect(opensShortcuts(pressed("?", { altKey: true }), true)).toBe(false)
  expect(opensShortcuts(pressed("?", { isComposing: true }), true)).toBe(false)
})

test("Ctrl+/ lists the shortcuts everywhere, also on keyboards where / takes Shift", () => {
  expect(opensShortcuts(pressed("/", { ctrlKey: true }, "textarea"), false)).toBe(true)
  expect(opensShortcuts(pressed("/", { ctrlKey: true, shiftKey: true }), true)).toBe(true)
  expect(opensShortcuts(pressed("/"), true)).toBe(false)
})
