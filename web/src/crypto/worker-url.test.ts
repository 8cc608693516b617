import { afterEach, beforeEach, expect, test, vi } from "vitest"

beforeEach(() => {
  vi.resetModules()
})
afterEach(() => {
  vi.unstubAllGlobals()
})

test("all workers share one policy, which allows no other scripts", async () => {
  const createPolicy = vi.fn((_name: string, rules: unknown) => rules)
  vi.stubGlobal("trustedTypes", { createPolicy })
  const { workerUrl } = await import("./worker-url")
  expect(workerUrl("/worker.js")).toBe("/worker.js")
  expect(workerUrl("/assets/engine.worker-CqG3_x-1.js")).toBe("/assets/engine.worker-CqG3_x-1.js")
  expect(createPolicy).toHaveBeenCalledTimes(1)
  for (const url of ["/files/a.js", "https://example.org/worker.js", "//example.org/worker.js", "/assets/index-a.js"]) {
    expect(() => workerUrl(url)).toThrow("not a worker")
  }
})

test("a browser without Trusted Types takes the URL", async () => {
  const { workerUrl } = await import("./worker-url")
  expect(workerUrl("/worker.js")).toBe("/worker.js")
})
