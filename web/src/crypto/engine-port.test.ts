import { expect, test, vi } from "vitest"

import { connect, serve, type Port, type RemoteEngine } from "./engine-port"

/** Two ports that clone what they carry, as a worker does. */
function channel(): [Port, Port] {
  const page: Port = { onmessage: null, postMessage: (message) => deliver(worker, message) }
  const worker: Port = { onmessage: null, postMessage: (message) => deliver(page, message) }
  const deliver = (port: Port, message: unknown) => {
    const data: unknown = structuredClone(message)
    queueMicrotask(() => port.onmessage?.({ data } as MessageEvent))
  }
  return [page, worker]
}

const position = { generation: 0, epoch: 3, encryptedSince: 7, isMember: true }

test("calls are answered in any order, with bytes and errors", async () => {
  const [page, worker] = channel()
  let finish = () => {}
  const slow = new Promise<void>((resolve) => (finish = resolve))
  const engine = {
    position: vi.fn(async () => (await slow, position)),
    createKeyPackages: vi.fn(async (count: number) => ({
      packages: [Uint8Array.of(count)],
      lastResort: Uint8Array.of(9),
    })),
    drop: vi.fn(async () => Promise.reject(new Error("no such commit"))),
  }
  const open = vi.fn(async () => engine as unknown as RemoteEngine)
  serve(worker, open)
  const remote = await connect(page, "inga", "phone", true)
  expect(open).toHaveBeenCalledWith("inga", "phone", true)
  const pending = remote.position("kitchen")
  expect(await remote.createKeyPackages(2)).toEqual({ packages: [Uint8Array.of(2)], lastResort: Uint8Array.of(9) })
  await expect(remote.drop("kitchen", "digest")).rejects.toThrow("no such commit")
  finish()
  expect(await pending).toEqual(position)
  expect(engine.position).toHaveBeenCalledWith("kitchen")
})

test("an engine that cannot be opened says why", async () => {
  const [page, worker] = channel()
  serve(worker, () => Promise.reject(new Error("storage is refused")))
  await expect(connect(page, "inga", "phone", true)).rejects.toThrow("storage is refused")
})
