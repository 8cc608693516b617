import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { installBrowser } from "../testing/browser"
import { installClock, pass, settle } from "../testing/clock"
import { FillConditions } from "./fill-conditions"

let conditions: FillConditions | undefined
const changed = vi.fn()

beforeEach(() => {
  installBrowser()
  installClock()
  changed.mockReset()
})
afterEach(() => {
  conditions?.close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** The conditions in a browser with these further parts. */
async function begin(parts: object = {}): Promise<FillConditions> {
  vi.stubGlobal("navigator", Object.assign(navigator, parts))
  conditions = new FillConditions(changed)
  await settle()
  return conditions
}

function battery(charging: boolean, level: number) {
  const manager = Object.assign(new EventTarget(), { charging, level })
  return { manager, getBattery: async () => manager }
}

/** A spy that is called once the page is idle. */
async function watchIdle() {
  const idle = vi.fn()
  void (await begin()).idle().then(idle)
  return idle
}

test("a page in which nothing happens is idle after a pause", async () => {
  const idle = await watchIdle()
  await pass(190)
  expect(idle).not.toHaveBeenCalled()
  await pass(20)
  expect(idle).toHaveBeenCalled()
})

test.each(["keydown", "input", "pointerdown", "touchmove", "wheel", "scroll"])(
  "the page is not idle until a second after a %s event",
  async (type) => {
    const idle = await watchIdle()
    await pass(100)
    dispatchEvent(new Event(type))
    await pass(900)
    dispatchEvent(new Event(type))
    await pass(950)
    expect(idle).not.toHaveBeenCalled()
    await pass(100)
    expect(idle).toHaveBeenCalled()
  },
)

test("a low battery saves energy until it is charged", async () => {
  const { manager, getBattery } = battery(false, 0.15)
  const { saving } = await begin({ getBattery })
  expect([saving, changed.mock.calls.length]).toEqual([true, 1])
  manager.charging = true
  manager.dispatchEvent(new Event("chargingchange"))
  expect([conditions?.saving, changed.mock.calls.length]).toEqual([false, 2])
  manager.charging = false
  manager.level = 0.5
  manager.dispatchEvent(new Event("levelchange"))
  expect([conditions?.saving, changed.mock.calls.length]).toEqual([false, 3])
})

test("a browser that tells nothing of the battery, or refuses to, saves nothing", async () => {
  expect((await begin()).saving).toBe(false)
  conditions?.close()
  expect((await begin({ getBattery: () => Promise.reject(new DOMException("", "NotAllowedError")) })).saving).toBe(
    false,
  )
})

test("a metered network saves data", async () => {
  const connection = Object.assign(new EventTarget(), { type: "cellular" })
  expect((await begin({ connection })).saving).toBe(true)
  connection.type = "wifi"
  connection.dispatchEvent(new Event("change"))
  expect([conditions?.saving, changed.mock.calls.length]).toEqual([false, 1])
})
