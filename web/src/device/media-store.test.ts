import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { MediaStore } from "./media-store"

const origin = { messageId: "m1", conversationId: "kitchen" }
const photo = (bytes: number) => new Blob(["x".repeat(bytes)])
const sizes = async (store: MediaStore, ...keys: string[]) =>
  await Promise.all(keys.map(async (key) => (await store.get(key))?.size))

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
  vi.useFakeTimers({ toFake: ["Date"], now: 0 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test("viewed media survive a restart", async () => {
  await new MediaStore("maja").put("a", photo(3), origin)
  expect(await sizes(new MediaStore("maja"), "a", "b")).toEqual([3, undefined])
  expect(await sizes(new MediaStore("emil"), "a")).toEqual([undefined])
})

test("beyond the limit, the files that were viewed longest ago are deleted", async () => {
  const store = new MediaStore("maja", 100)
  for (const [index, key] of ["a", "b", "c", "d"].entries()) {
    vi.setSystemTime(index)
    await store.put(key, photo(25), origin)
  }
  vi.setSystemTime(10)
  await store.get("a")
  await store.put("e", photo(20), origin)
  expect(await sizes(store, "a", "b", "c", "d", "e")).toEqual([25, undefined, 25, 25, 20])
})

test("a file that would displace most others is not stored", async () => {
  const store = new MediaStore("maja", 100)
  await store.put("a", photo(26), origin)
  expect(await sizes(store, "a")).toEqual([undefined])
})

test("files are deleted with their message or conversation", async () => {
  const store = new MediaStore("maja")
  await store.put("a", photo(1), origin)
  await store.put("b", photo(1), { ...origin, messageId: "m2" })
  await store.put("c", photo(1), { messageId: "m3", conversationId: "attic" })
  await store.removeAll("messageId", "m1")
  expect(await sizes(store, "a", "b", "c")).toEqual([undefined, 1, 1])
  await store.removeAll("conversationId", "kitchen")
  expect(await sizes(store, "a", "b", "c")).toEqual([undefined, undefined, 1])
})

test("a sign-out deletes everything, and nothing is stored afterwards", async () => {
  const store = new MediaStore("maja")
  await store.put("a", photo(1), origin)
  await store.clear()
  await store.put("b", photo(1), origin)
  expect(await sizes(new MediaStore("maja"), "a", "b")).toEqual([undefined, undefined])
})

test("a browser that stores nothing is asked in vain", async () => {
  vi.stubGlobal("indexedDB", {
    open: () => {
      throw new DOMException("", "SecurityError")
    },
  })
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined)
  const store = new MediaStore("maja")
  await store.put("a", photo(1), origin)
  expect(await sizes(store, "a")).toEqual([undefined])
  expect(warn).toHaveBeenCalled()
})

test("the files are counted and deleted, and new ones are stored", async () => {
  const store = new MediaStore("maja")
  await store.put("a", photo(3), origin)
  await store.put("b", photo(4), origin)
  expect(await store.size()).toBe(7)
  await store.empty()
  expect(await store.size()).toBe(0)
  await store.put("c", photo(5), origin)
  expect(await sizes(store, "a", "c")).toEqual([undefined, 5])
})
