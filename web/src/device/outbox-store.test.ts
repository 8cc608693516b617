import "fake-indexeddb/auto"

import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { outgoing } from "../models/fixtures"
import { Drafts } from "./drafts.svelte"
import { LocalDatabase } from "./database"
import { OutboxStore } from "./outbox-store"
import { TabChannel } from "./tab-channel"

/** One tab: what it keeps is shared with the others of the same account. */
class Tab {
  readonly kept = new LocalDatabase(account, () => undefined)
  readonly wire = new TabChannel(account)
  readonly mailbox = new OutboxStore(this.kept, this.wire, () => undefined)
  readonly desk = new Drafts(this.kept, this.wire)

  async opened(): Promise<this> {
    await Promise.all([this.mailbox.load(), this.desk.load()])
    return this
  }

  async close(): Promise<void> {
    this.wire.close()
    await this.kept.close()
  }

  get waiting(): string[] {
    return this.mailbox.messages.map((each) => each.client_id)
  }
}

let account = ""
let count = 0
let tabs: Tab[] = []

async function tab(): Promise<Tab> {
  const opened = await new Tab().opened()
  tabs.push(opened)
  return opened
}

beforeEach(() => (account = `maja${(count += 1)}`))
afterEach(async () => {
  await Promise.all(tabs.map((each) => each.close()))
  tabs = []
})

test("drafts are shown immediately, and in the same order after a restart", async () => {
  const first = await tab()
  const written = Promise.all(["one", "two", "three"].map((id) => first.mailbox.write(outgoing(id))))
  expect(first.waiting).toEqual(["one", "two", "three"])
  await written
  expect((await tab()).waiting).toEqual(["one", "two", "three"])
})

test("a stored message is no longer queued in any tab", async () => {
  const [first, second] = [await tab(), await tab()]
  await first.mailbox.write(outgoing("one"))
  await expect.poll(() => second.waiting).toEqual(["one"])
  await second.mailbox.remove("one")
  await expect.poll(() => first.waiting).toEqual([])
  expect((await tab()).waiting).toEqual([])
})

test("a refusal is kept, until it is tried again", async () => {
  const first = await tab()
  await first.mailbox.write(outgoing("one"))
  await first.mailbox.refuse("one", "message_too_large")
  expect((await tab()).mailbox.messages[0]?.refused).toBe("message_too_large")
  await first.mailbox.retry("one")
  expect((await tab()).mailbox.messages[0]?.refused).toBeUndefined()
})

test("only one tab has the turn in a conversation, and only for what still waits", async () => {
  const [first, second] = [await tab(), await tab()]
  await first.mailbox.write(outgoing("one"))
  await second.mailbox.load()
  expect(await first.mailbox.claim(outgoing("one"))).toBe(true)
  expect(await second.mailbox.claim(outgoing("one"))).toBe(false)
  expect(await first.mailbox.claim(outgoing("one"))).toBe(true)
  await first.mailbox.remove("one")
  await first.mailbox.release("kitchen")
  expect(await second.mailbox.claim(outgoing("one"))).toBe(false)
  await second.mailbox.write(outgoing("two"))
  expect(await second.mailbox.claim(outgoing("two"))).toBe(true)
})

test("a tab in which the user writes gets the lock first", async () => {
  const [first, second] = [await tab(), await tab()]
  const written = first.mailbox.write(outgoing("one"))
  expect(await first.mailbox.claim(outgoing("one"))).toBe(true)
  await written
  await second.mailbox.load()
  expect(await second.mailbox.claim(outgoing("one"))).toBe(false)
})

test("a finished draft waits for the lock: another tab may be sending it", async () => {
  const [first, second] = [await tab(), await tab()]
  await first.mailbox.write(outgoing("one"))
  expect(await second.mailbox.claim(outgoing("one"))).toBe(true)
  expect(await first.mailbox.claim(outgoing("one"))).toBe(false)
})

test("of many tabs that ask at the same moment, one gets the turn", async () => {
  const all = await Promise.all(Array.from({ length: 5 }, tab))
  await all[0]?.mailbox.write(outgoing("one"))
  const answers = await Promise.all(all.map((each) => each.mailbox.claim(outgoing("one"))))
  expect(answers.filter(Boolean)).toHaveLength(1)
})

test("a text that is sent leaves the composer, on the device and in the other tab", async () => {
  const [first, second] = [await tab(), await tab()]
  await first.desk.write("kitchen", "hel", "Kitchen")
  await expect.poll(() => second.desk.get("kitchen")?.text).toBe("hel")
  expect((await tab()).desk.get("kitchen")).toEqual({ text: "hel", name: "Kitchen" })
  first.desk.clear("kitchen")
  await first.mailbox.write(outgoing("one"))
  await expect.poll(() => second.desk.ids).toEqual([])
  expect((await tab()).desk.ids).toEqual([])
})

test("a tab that opens while another sends does not restore the sent text", async () => {
  const first = await tab()
  await first.desk.write("kitchen", "hel", "Kitchen")
  const opening = new Tab()
  tabs.push(opening)
  const read = opening.kept.read.bind(opening.kept)
  vi.spyOn(opening.kept, "read").mockImplementationOnce(async (work, otherwise) => {
    const found = await read(work, otherwise) // as it was before
    first.desk.clear("kitchen")
    await first.mailbox.write(outgoing("one"))
    await expect.poll(() => opening.waiting).toEqual(["one"]) // it has heard
    return found
  })
  await opening.desk.load()
  expect(opening.desk.ids).toEqual([])
})

test("a browser that keeps nothing loses nothing until the page is closed, and says so", async () => {
  const real = globalThis.indexedDB
  const refusing = {
    open: () => {
      throw new DOMException("no", "SecurityError")
    },
  }
  Object.assign(globalThis, { indexedDB: refusing })
  try {
    const forgetful = await tab()
    expect(forgetful.kept.durable).toBe(false)
    await forgetful.mailbox.write(outgoing("one"))
    await forgetful.mailbox.load()
    expect(forgetful.waiting).toEqual(["one"])
    expect(await forgetful.mailbox.claim(outgoing("one"))).toBe(true)
    await forgetful.mailbox.remove("one")
    expect(forgetful.waiting).toEqual([])
  } finally {
    Object.assign(globalThis, { indexedDB: real })
  }
})
