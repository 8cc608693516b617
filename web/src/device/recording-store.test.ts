import "fake-indexeddb/auto"

import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { RecordingStore, type EndedRecording } from "./recording-store"

const target = { conversation_id: "kitchen", name: "Kitchen", label: "Voice message" }
const second = { duration_ms: 1_000, waveform: [1] }

/** Web Locks of all tabs. A lock is held until its callback has finished. */
class Locks {
  readonly held = new Set<string>()

  async request(name: string, ...more: unknown[]): Promise<unknown> {
    const use = more.at(-1) as (lock: object | null) => Promise<unknown>
    if (this.held.has(name)) return await use(null)
    this.held.add(name)
    try {
      return await use({ name })
    } finally {
      this.held.delete(name)
    }
  }
}

let locks: Locks
let account = ""
let count = 0
let stores: RecordingStore[] = []

function tab(): RecordingStore {
  const opened = new RecordingStore(account)
  stores.push(opened)
  return opened
}

async function abandoned(store: RecordingStore): Promise<readonly EndedRecording[]> {
  const found: EndedRecording[] = []
  await store.takeAbandoned(async (each) => void found.push(each))
  return found
}

beforeEach(() => {
  account = `emil${(count += 1)}`
  locks = new Locks()
  vi.stubGlobal("navigator", { locks })
})
afterEach(async () => {
  await Promise.all(stores.map((each) => each.close()))
  stores = []
  vi.unstubAllGlobals()
})

test("a recording whose page ended is taken once, as far as it was recorded", async () => {
  const copy = tab().begin(target)
  await copy.append(new Blob(["so"], { type: "audio/webm" }), second)
  await copy.append(new Blob(["und"], { type: "audio/webm" }), { duration_ms: 2_000, waveform: [1, 2] })
  locks.held.clear() // the page ended
  const [found] = await abandoned(tab())
  expect(found).toMatchObject({ ...target, duration_ms: 2_000, waveform: [1, 2] })
  expect(await found?.blob.text()).toBe("sound")
  expect(found?.blob.type).toBe("audio/webm")
  expect(await abandoned(tab())).toEqual([])
})

test("a recording that another tab is making is left alone", async () => {
  await tab()
    .begin(target)
    .append(new Blob(["so"]), second)
  expect(await abandoned(tab())).toEqual([])
})

test("nothing is left of a recording that was finished or discarded", async () => {
  const copy = tab().begin(target)
  await copy.append(new Blob(["so"]), second)
  await copy.discard()
  await copy.append(new Blob(["und"]), second)
  expect(locks.held.size).toBe(0)
  expect(await abandoned(tab())).toEqual([])
})

test("a recording that cannot be kept is still there at the next start", async () => {
  await tab()
    .begin(target)
    .append(new Blob(["so"]), second)
  locks.held.clear()
  await expect(tab().takeAbandoned(() => Promise.reject(new Error("full")))).rejects.toThrow("full")
  expect(await abandoned(tab())).toHaveLength(1)
})

test("several recordings do not share their parts", async () => {
  for (const sound of ["one", "two"])
    await tab()
      .begin(target)
      .append(new Blob([sound]), second)
  locks.held.clear()
  const sounds = (await abandoned(tab())).map(({ blob }) => blob.text())
  expect((await Promise.all(sounds)).sort()).toEqual(["one", "two"])
})
