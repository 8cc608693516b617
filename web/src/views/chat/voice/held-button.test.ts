// @vitest-environment happy-dom
/** A finger that holds the microphone button. */
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { followFinger } from "./held-button"

const held = { slid: vi.fn(), cancel: vi.fn(), lock: vi.fn(), release: vi.fn() }
let stop: () => void

beforeEach(() => {
  vi.useFakeTimers()
  hold()
})
afterEach(() => {
  stop()
  vi.runAllTimers()
  vi.useRealTimers()
  vi.clearAllMocks()
})

function hold(isRightToLeft = false) {
  stop = followFinger({ press: { x: 300, y: 700 }, isRightToLeft, ...held })
}

function point(type: string, clientX = 300, clientY = 700) {
  dispatchEvent(new PointerEvent(type, { clientX, clientY }))
}

const calls = () => [held.cancel, held.lock, held.release].map(({ mock }) => mock.calls.length)

test("lifting the finger releases the button, and the click that follows does nothing", () => {
  point("pointerup")
  const click = new MouseEvent("click", { cancelable: true })
  dispatchEvent(click)
  expect([calls(), click.defaultPrevented]).toEqual([[0, 0, 1], true])
  vi.runAllTimers()
  const later = new MouseEvent("click", { cancelable: true })
  dispatchEvent(later)
  expect(later.defaultPrevented).toBe(false)
})

test("sliding to the start of the line cancels, and lifting the finger afterwards does not send", () => {
  point("pointermove", 260)
  expect([held.slid.mock.lastCall, calls()]).toEqual([[40], [0, 0, 0]])
  point("pointermove", 204)
  point("pointerup", 204)
  expect(calls()).toEqual([1, 0, 0])
})

test("from right to left, the start of the line is at the right", () => {
  stop()
  hold(true)
  point("pointermove", 100)
  expect(calls()).toEqual([0, 0, 0])
  point("pointermove", 400)
  expect(calls()).toEqual([1, 0, 0])
})

test("sliding up locks the recording, which then needs no finger", () => {
  point("pointermove", 300, 630)
  point("pointerup", 300, 630)
  expect(calls()).toEqual([0, 1, 0])
})

test("a press that the system ends goes on without the finger", () => {
  point("pointercancel")
  expect(calls()).toEqual([0, 1, 0])
})
