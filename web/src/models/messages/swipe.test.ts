import { expect, test } from "vitest"

import { intent, swipeOffset, swipeReplies } from "./swipe"

const WIDTH = 390

test("a short movement decides nothing", () => {
  expect(intent({ forward: 8, down: 8 }, 100, WIDTH)).toBeUndefined()
})

test("a finger swipes only if it moves mostly towards the end of the line", () => {
  expect(intent({ forward: 12, down: 5 }, 100, WIDTH)).toBe("swipe")
  expect(intent({ forward: 12, down: -7 }, 100, WIDTH)).toBe("scroll")
  expect(intent({ forward: -20, down: 0 }, 100, WIDTH)).toBe("scroll")
  expect(intent({ forward: 2, down: 40 }, 100, WIDTH)).toBe("scroll")
})

test("a movement from the edge of the screen belongs to the system", () => {
  expect(intent({ forward: 20, down: 0 }, 23, WIDTH)).toBe("scroll")
  expect(intent({ forward: 20, down: 0 }, WIDTH - 10, WIDTH)).toBe("scroll")
  expect(intent({ forward: 20, down: 0 }, 24, WIDTH)).toBe("swipe")
})

test("the message follows the finger up to a limit, and never backwards", () => {
  expect([-5, 40, 200].map((forward) => swipeOffset({ forward, down: 0 }))).toEqual([0, 40, 96])
})

test("a swipe replies from 64 pixels on", () => {
  expect([63, 64].map((forward) => swipeReplies({ forward, down: 0 }))).toEqual([false, true])
})
