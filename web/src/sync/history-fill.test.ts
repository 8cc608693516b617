import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { ApiError, Unreachable } from "../api/http"
import type { Message } from "../api/types"
import { message } from "../models/fixtures"
import {
  beginProgress,
  furthest,
  withEntries,
  type FillProgress,
  type HistoryHead,
} from "../models/search/fill-progress"
import { textEntry, type TextEntry } from "../models/search/text-entry"
import { eventually, installClock, pass, settle } from "../testing/clock"
import { HistoryFill } from "./history-fill"

/** A server with messages of several conversations, and a store that keeps only positions. */
class World {
  readonly histories = new Map<string, Message[]>()
  readonly requests: string[] = []
  readonly stored = new Map<string, FillProgress>()
  readonly entries: TextEntry[] = []
  allowed = true
  /** Called before each request. */
  idle = async () => undefined as void
  /** How often the fill has asked for the heads of all conversations. */
  looked = 0
  failure: Error | undefined
  fill = this.start()

  /** @param sentAt the hour of the first message; one more for each */
  add(id: string, count: number, sentAt = 0): Message[] {
    const history = Array.from({ length: count }, (_, index) =>
      message(index + 1, {
        conversation_id: id,
        inserted_at: new Date(Date.UTC(2026, 0, 1, sentAt + index)).toISOString(),
      }),
    )
    this.histories.set(id, history)
    return history
  }

  change(id: string, seq: number, change: number): void {
    const history = this.histories.get(id) ?? []
    const changed = history[seq - 1]
    if (changed) history[seq - 1] = { ...changed, change, body: "edited" }
  }

  start(): HistoryFill {
    return new HistoryFill({
      heads: () => {
        this.looked += 1
        return [...this.histories].map(([id, history]) => headOf(id, history))
      },
      fetchMessages: async (id, query) => {
        const history = this.#request(id, "messages", query)
        const [name, value, limit] = parse(query)
        const matching = history.filter(({ seq }) => (name === "after_seq" ? seq > value : seq < value))
        const messages = name === "after_seq" ? matching.slice(0, limit) : matching.slice(-limit)
        return { messages, has_more: matching.length > limit }
      },
      fetchChanges: async (id, query) => {
        const history = this.#request(id, "changes", query)
        const [, value, limit] = parse(query)
        const changed = history.filter(({ change }) => change > value).sort((a, b) => a.change - b.change)
        const last_change = Math.max(0, ...history.map(({ change }) => change))
        return { changes: changed.slice(0, limit), has_more: changed.length > limit, last_change }
      },
      read: async (messages) => messages.map((each) => textEntry(each, { kind: "text", text: each.body ?? "" })),
      allowed: () => this.allowed,
      idle: () => this.idle(),
      begin: async (heads) =>
        heads.map((head) => {
          const known = this.stored.get(head.conversationId)
          const begun = known?.epoch === head.epoch ? known : beginProgress(head, false)
          this.stored.set(head.conversationId, begun)
          return begun
        }),
      putPage: async (entries, reached) => {
        const known = this.stored.get(reached.conversationId)
        if (!known) return []
        const now = withEntries(furthest(known, reached), entries)
        this.stored.set(reached.conversationId, now)
        this.entries.push(...entries)
        return [now]
      },
      changed: () => undefined,
    })
  }

  /** Runs until everything is filled. */
  async done(): Promise<void> {
    void this.fill.run()
    await eventually(() => {
      expect(this.stored.size).toBe(this.histories.size)
      expect(this.fill.reachedAt).toBeUndefined()
    })
    await settle()
  }

  seqsOf(id: string): number[] {
    const seqs = this.entries.filter(({ conversationId }) => conversationId === id).map(({ seq }) => seq)
    return seqs.sort((one, other) => one - other)
  }

  #request(id: string, what: string, query: string): Message[] {
    if (this.failure) throw this.failure
    this.requests.push(`${id} ${what} ${query.split("&")[0]}`)
    return this.histories.get(id) ?? []
  }
}

function headOf(conversationId: string, history: readonly Message[]): HistoryHead {
  const lastChange = Math.max(0, ...history.map(({ change }) => change))
  const lastAt = history.at(-1)?.inserted_at ?? ""
  return { conversationId, epoch: "e1", lastSeq: history.at(-1)?.seq ?? 0, lastChange, lastAt }
}

function parse(query: string): [name: string, value: number, limit: number] {
  const [[name, value] = ["", ""], [, limit] = ["", ""]] = [...new URLSearchParams(query)]
  return [name, Number(value), Number(limit)]
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

let world: World

beforeEach(() => {
  installClock()
  world = new World()
})
afterEach(async () => {
  world.fill.stop()
  await settle()
  vi.useRealTimers()
})

test("the whole history is fetched once, page by page, the newest messages first", async () => {
  world.add("kitchen", 450)
  await world.done()
  expect(world.seqsOf("kitchen")).toEqual(upTo(450))
  expect(world.requests).toEqual([
    "kitchen messages before_seq=451",
    "kitchen messages before_seq=251",
    "kitchen messages before_seq=51",
  ])
})

test("conversations are filled back to the same date", async () => {
  world.add("old", 250, 0)
  world.add("new", 500, 10_000)
  await world.done()
  expect(world.requests.map((each) => each.split(" ")[0])).toEqual(["new", "new", "new", "old", "old"])
})

test("filling continues after a restart where it stopped", async () => {
  world.add("kitchen", 500)
  const [kitchen] = [...world.histories].map(([id, history]) => beginProgress(headOf(id, history), false))
  world.stored.set("kitchen", { ...kitchen!, before: 100 })
  await world.done()
  expect(world.requests).toEqual(["kitchen messages before_seq=101"])
})

test("what arrived or changed while the device was away comes before older messages", async () => {
  const history = world.add("kitchen", 500)
  world.stored.set("kitchen", { ...beginProgress(headOf("kitchen", history.slice(0, 300)), false), before: 200 })
  world.change("kitchen", 250, 1)
  await world.done()
  expect(world.requests).toEqual([
    "kitchen changes after_change=0",
    "kitchen messages after_seq=300",
    "kitchen messages before_seq=201",
  ])
  expect(world.entries.find(({ seq }) => seq === 250)?.text).toBe("edited")
})

test("a history that begins with a later message, because the user joined later, is complete there", async () => {
  world.histories.set("kitchen", world.add("kitchen", 450).slice(300))
  await world.done()
  expect(world.seqsOf("kitchen")).toEqual(upTo(450).slice(300))
  expect(world.requests).toHaveLength(1)
})

test("nothing is fetched while it is not allowed, and filling says how far it came", async () => {
  world.add("kitchen", 300)
  world.allowed = false
  void world.fill.run()
  await pass(120_000)
  expect(world.requests).toEqual([])
  world.allowed = true
  world.fill.wake()
  await eventually(() => expect(world.fill.incomplete.size).toBe(0))
  expect(world.requests).toHaveLength(2)
})

test("without a response it tries again later", async () => {
  world.add("kitchen", 100)
  world.failure = new Unreachable("")
  void world.fill.run()
  await pass(29_000)
  world.failure = undefined
  expect(world.fill.reachedAt).toBe("2026-01-05T03:00:00.000Z")
  await pass(2_000)
  expect(world.seqsOf("kitchen")).toEqual(upTo(100))
})

test("a conversation that the server does not have does not keep others waiting", async () => {
  world.add("gone", 100, 500)
  world.failure = new ApiError(404, "not_found")
  void world.fill.run()
  await settle()
  world.failure = undefined
  world.add("kitchen", 100)
  world.fill.wake()
  await eventually(() => expect(world.seqsOf("kitchen")).toEqual(upTo(100)))
  expect(world.seqsOf("gone")).toEqual([])
})

/** A message arrives live, and is stored. */
function arrives(id: string, seq: number): void {
  const known = world.stored.get(id)!
  const arrived = textEntry(message(seq, { conversation_id: id }), { kind: "text", text: "new" })
  world.stored.set(id, withEntries(known, [arrived]))
  world.fill.stored([arrived], [world.stored.get(id)!])
}

test("a live message that follows the stored ones leaves nothing to do: no conversation is looked at", async () => {
  world.add("kitchen", 100)
  await world.done()
  world.requests.length = 0
  world.add("kitchen", 101)
  const looked = world.looked
  arrives("kitchen", 101)
  await settle()
  expect([world.looked - looked, world.requests]).toEqual([0, []])
})

test("messages before a live one that are missing are fetched", async () => {
  world.add("kitchen", 100)
  await world.done()
  world.requests.length = 0
  world.add("kitchen", 103)
  arrives("kitchen", 103)
  await eventually(() => expect(world.requests).toEqual(["kitchen messages after_seq=100"]))
})

test("a live message of a conversation that is not being filled begins to fill it", async () => {
  world.add("kitchen", 100)
  await world.done()
  const added = world.add("attic", 1)
  world.fill.stored([textEntry(added[0]!, { kind: "text", text: "first" })], [])
  await eventually(() => expect(world.stored.get("attic")?.complete).toBe(true))
})

test("the page is idle before each request, and what happened meanwhile counts", async () => {
  let resume = () => undefined as void
  world.idle = () => new Promise((resolve) => (resume = resolve))
  world.add("kitchen", 100)
  void world.fill.run()
  await settle()
  expect(world.requests).toEqual([])
  world.allowed = false
  resume()
  await settle()
  expect(world.requests).toEqual([])
  world.allowed = true
  world.fill.wake()
  await settle()
  resume()
  await eventually(() => expect(world.requests).toEqual(["kitchen messages before_seq=101"]))
})
