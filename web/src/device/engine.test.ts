import { afterEach, expect, test, vi } from "vitest"

import { Unreachable } from "../api/http"
import { startEngine } from "./engine"

/** A worker that does with each message what a test says. */
class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null
  onerror: (() => void) | null = null
  readonly terminate = vi.fn()

  constructor() {
    workers.push(this)
  }

  postMessage(message: { id: number }): void {
    queueMicrotask(() => react(this, message.id))
  }
}

const workers: FakeWorker[] = []
let react: (worker: FakeWorker, id: number) => void

afterEach(() => {
  workers.length = 0
  vi.unstubAllGlobals()
})

test("a worker whose script does not arrive is not waited for, and the message is tried again", async () => {
  vi.stubGlobal("Worker", FakeWorker)
  react = (worker) => worker.onerror?.()
  await expect(startEngine("inga", "phone", false)).rejects.toBeInstanceOf(Unreachable)
  expect(workers[0]?.terminate).toHaveBeenCalledOnce()
})

test("an engine that does not open ends its worker", async () => {
  vi.stubGlobal("Worker", FakeWorker)
  react = (worker, id) => worker.onmessage?.({ data: { id, error: "refused" } })
  await expect(startEngine("inga", "phone", false)).rejects.toThrow("refused")
  expect(workers[0]?.terminate).toHaveBeenCalledOnce()
})

test("an open engine runs until it is ended", async () => {
  vi.stubGlobal("Worker", FakeWorker)
  react = (worker, id) => worker.onmessage?.({ data: { id, result: null } })
  const engine = await startEngine("inga", "phone", false)
  expect(await engine.position("kitchen")).toBeNull()
  expect(workers[0]?.terminate).not.toHaveBeenCalled()
  engine.terminate()
  expect(workers[0]?.terminate).toHaveBeenCalledOnce()
})
