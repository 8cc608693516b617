import "fake-indexeddb/auto"

import { afterEach, beforeEach, expect, test, vi } from "vitest"

/** Two tabs share storage and nothing else. */
async function tab() {
  vi.resetModules()
  return await import("./cross-tab-lock")
}

beforeEach(() => vi.stubGlobal("navigator", {})) // as on plain HTTP: no locks
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test("without locks, too, one tab at a time has the turn", async () => {
  const tabs = await Promise.all([tab(), tab(), tab()])
  let inside = 0
  const most: number[] = []
  const work = async () => {
    most.push(++inside)
    await new Promise((resolve) => setTimeout(resolve, 5))
    inside -= 1
  }
  await Promise.all(tabs.map(({ withLock }) => withLock("renewal", work)))
  expect(most).toEqual([1, 1, 1])
})

test("a turn ends also when its work fails", async () => {
  const { withLock } = await tab()
  await expect(withLock("failing", () => Promise.reject(new Error("no network")))).rejects.toThrow("no network")
  expect(await withLock("failing", async () => "the next")).toBe("the next")
})

test("a closed tab releases its lock after a short wait", async () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] })
  const [gone, waiting] = [await tab(), await tab()]
  await new Promise<void>((begun) => {
    void gone.withLock("left behind", () => {
      begun()
      return new Promise(() => undefined)
    })
  })
  vi.setSystemTime(Date.now() + 11_000)
  expect(await waiting.withLock("left behind", async () => "mine")).toBe("mine")
})

test("a lease from a clock that was ahead keeps no tab waiting", async () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] })
  const [gone, waiting] = [await tab(), await tab()]
  vi.setSystemTime(Date.now() + 365 * 24 * 3_600_000)
  await new Promise<void>((begun) => {
    void gone.withLock("from the future", () => {
      begun()
      return new Promise(() => undefined)
    })
  })
  vi.setSystemTime(Date.now() - 365 * 24 * 3_600_000)
  expect(await waiting.withLock("from the future", async () => "mine")).toBe("mine")
})

test("of all tabs that come with the same, one is the first", async () => {
  const tabs = await Promise.all([tab(), tab(), tab()])
  const first = async (id: string) =>
    (await Promise.all(tabs.map((each) => each.claimOnce("sound", id)))).filter(Boolean)
  expect(await first("019a-1")).toHaveLength(1)
  expect(await first("019a-2")).toHaveLength(1)
  expect(await first("019a-1")).toHaveLength(0) // a tab that was late
})

test("other tabs know what one tab has used", async () => {
  const [one, other] = [await tab(), await tab()]
  expect(await other.isSpent("session", "first")).toBe(false)
  await one.markSpent("session", "first")
  expect(await other.isSpent("session", "first")).toBe(true)
  expect(await other.isSpent("session", "second")).toBe(false)
})
