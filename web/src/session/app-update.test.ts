import { afterEach, expect, test, vi } from "vitest"

import { isOutdated, onNewWorker, update } from "./app-update"

const page = (hash: string) => `<script type="module" src="/assets/index-${hash}.js"></script>`
const reload = vi.fn()

/** A page of the version `own`, at a server that responds with `response`. */
function opened(own: string, response: () => Promise<Response>) {
  vi.stubGlobal("document", { documentElement: { outerHTML: page(own) } })
  vi.stubGlobal("location", { reload })
  vi.stubGlobal("fetch", response)
}

/** A browser with a service worker; `waiting` is a new one. */
function withWorkers(waiting: EventTarget | null) {
  const registration = Object.assign(new EventTarget(), { waiting, installing: null as EventTarget | null })
  const workers = Object.assign(new EventTarget(), {
    ready: Promise.resolve(registration),
    getRegistration: async () => registration,
  })
  vi.stubGlobal("navigator", { serviceWorker: workers })
  return { workers, registration }
}

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  reload.mockReset()
})

test("a page is outdated if the server has another one", async () => {
  opened("a1", async () => new Response(page("a1")))
  expect(await isOutdated()).toBe(false)
  opened("a1", async () => new Response(page("b2")))
  expect(await isOutdated()).toBe(true)
})

test("a server that does not respond, or something else that does, makes no page outdated", async () => {
  for (const response of [
    () => Promise.reject(new TypeError("Failed to fetch")),
    async () => new Response("<h1>Room number?</h1>"),
    async () => new Response(page("b2"), { status: 503 }),
  ]) {
    opened("a1", response)
    expect(await isOutdated()).toBe(false)
  }
})

test("an update activates the new service worker, and then reloads", async () => {
  opened("a1", async () => new Response())
  const steps: string[] = []
  reload.mockImplementation(() => steps.push("reload"))
  const waiting = Object.assign(new EventTarget(), {
    postMessage: (message: object) => {
      steps.push(JSON.stringify(message))
      workers.dispatchEvent(new Event("controllerchange"))
    },
  })
  const { workers } = withWorkers(waiting)
  await update()
  expect(steps).toEqual(['{"activate":true}', "reload"])
})

test("an update does not wait for a service worker that does not start", async () => {
  vi.useFakeTimers()
  opened("a1", async () => new Response())
  withWorkers(Object.assign(new EventTarget(), { postMessage: () => undefined }))
  const updating = update()
  await vi.advanceTimersByTimeAsync(2_000)
  await updating
  expect(reload).toHaveBeenCalledTimes(1)
})

test("without service workers, as over plain HTTP, an update reloads", async () => {
  opened("a1", async () => new Response())
  vi.stubGlobal("navigator", {})
  await update()
  expect(reload).toHaveBeenCalledTimes(1)
  onNewWorker(() => expect.fail("there is none"))()
})

test("a new service worker is reported when it is installed, and when another tab activates it", async () => {
  const { workers, registration } = withWorkers(null)
  const changed = vi.fn()
  const stop = onNewWorker(changed)
  await Promise.resolve()
  registration.installing = new EventTarget()
  registration.dispatchEvent(new Event("updatefound"))
  registration.installing.dispatchEvent(new Event("statechange"))
  workers.dispatchEvent(new Event("controllerchange"))
  expect(changed).toHaveBeenCalledTimes(2)
  stop()
  workers.dispatchEvent(new Event("controllerchange"))
  expect(changed).toHaveBeenCalledTimes(2)
})

test("a service worker that waits already is reported", async () => {
  withWorkers(new EventTarget())
  const changed = vi.fn()
  onNewWorker(changed)
  await Promise.resolve()
  expect(changed).toHaveBeenCalledTimes(1)
})
