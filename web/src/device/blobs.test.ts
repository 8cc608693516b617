import "fake-indexeddb/auto"

import { expect, test, vi } from "vitest"

import { BlobStore } from "./blobs"

test("a stored blob survives a restart until it is removed", async () => {
  const before = new BlobStore("maja")
  const key = before.put(new Blob(["photo"]))
  await before.stored([key])
  await before.close()

  const after = new BlobStore("maja")
  expect(await (await after.get(key))?.text()).toBe("photo")
  await after.remove([key])
  expect(await after.get(key)).toBeUndefined()
  await after.close()
})

test("a blob without a draft is deleted unless it is new", async () => {
  const blobs = new BlobStore("emil")
  const [wanted, left] = [blobs.put(new Blob(["1"])), blobs.put(new Blob(["2"]))]
  await blobs.stored([wanted, left])

  await blobs.removeUnused(new Set([wanted]))
  expect(await blobs.get(left)).toBeDefined()
  vi.useFakeTimers({ now: Date.now() + 2 * 60 * 60_000, toFake: ["Date"] })
  await blobs.removeUnused(new Set([wanted]))
  vi.useRealTimers()

  expect(await blobs.get(left)).toBeUndefined()
  expect(await blobs.get(wanted)).toBeDefined()
  await blobs.close()
})
