// @vitest-environment happy-dom
/** Counts which derivations and template effects run for an event: only those of the bubbles that show the change. */
import "fake-indexeddb/auto"

import { IDBFactory } from "fake-indexeddb"
import { mount, tick, unmount } from "svelte"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { conversation, message } from "../../models/fixtures"
import type { ConversationSummary, JoinReply, Message, Upload } from "../../api/types"
import type { Session } from "../../session/session"
import { ChatClient } from "../../sync/client.svelte"
import ChatPane from "./ChatPane.svelte"

const { runs, channels, owners } = vi.hoisted(() => ({
  runs: new Map<string, number>(),
  channels: new Map<string, { emit(event: string, payload: object): void }>(),
  owners: [] as string[],
}))

interface Props {
  readonly id?: string
  readonly item?: { readonly id: string }
}

// Every `$derived` and every template effect of a component is created by one of these two functions. Each is counted for
// the component that creates it: `kitchen` is the chat pane, `kitchen/m3` the bubble of a message and everything inside it.
vi.mock("svelte/internal/client", async (load) => {
  const real = await load<Record<string, (...args: never[]) => unknown>>()
  const call = (name: string, ...args: unknown[]) => real[name]!(...(args as never[]))
  const counted = (run: (...args: unknown[]) => unknown) => {
    const owner = owners.at(-1) ?? "other"
    return (...args: unknown[]) => {
      runs.set(owner, (runs.get(owner) ?? 0) + 1)
      return run(...args)
    }
  }
  // Getters, as some exports get their value later.
  const live = Object.keys(real).map((name) => [name, { enumerable: true, configurable: true, get: () => real[name] }])
  const replaced = {
    push: (props: Props, ...rest: unknown[]) => {
      const owner = props.item && props.id ? `${props.id}/${props.item.id}` : undefined
      owners.push(owner ?? owners.at(-1) ?? props.id ?? "other")
      return call("push", props, ...rest)
    },
    pop: (...rest: unknown[]) => {
      owners.pop()
      return call("pop", ...rest)
    },
    // The content of an `{#if}` belongs to the component, also when it is created later.
    if: (node: object, run: (...args: unknown[]) => void, ...rest: unknown[]) => {
      const owner = owners.at(-1) ?? "other"
      const owned = (...args: unknown[]) => {
        owners.push(owner)
        run(...args)
        owners.pop()
      }
      return call("if", node, owned, ...rest)
    },
    derived: (run: () => unknown) => call("derived", counted(run)),
    template_effect: (run: () => void, ...rest: unknown[]) => call("template_effect", counted(run), ...rest),
  }
  return Object.defineProperties(
    Object.defineProperties({}, Object.fromEntries(live) as PropertyDescriptorMap),
    Object.getOwnPropertyDescriptors(replaced),
  )
})

vi.mock("phoenix", () => {
  class Push {
    constructor(private readonly reply?: object) {}
    receive(status: string, then: (reply: object) => void): this {
      if (this.reply && status === "ok") then(this.reply)
      return this
    }
  }
  class Channel {
    readonly #handlers = new Map<string, (payload: object) => void>()
    constructor(private readonly topic: string) {
      channels.set(topic, this)
    }
    on(event: string, handler: (payload: object) => void): void {
      this.#handlers.set(event, handler)
    }
    emit(event: string, payload: object): void {
      this.#handlers.get(event)?.(payload)
    }
    join(): Push {
      return new Push(JOINED[this.topic] ?? {})
    }
    push(): Push {
      return new Push()
    }
    onError(): void {}
    onClose(): void {}
    leave(): void {}
  }
  class Socket {
    channel(topic: string): Channel {
      return new Channel(topic)
    }
    onMessage(): void {}
    onClose(): void {}
    onError(): void {}
    connect(): void {}
    disconnect(): void {}
  }
  class Presence {
    onSync(): void {}
  }
  return { Socket, Presence }
})

const KITCHEN = [1, 2, 3, 4, 5, 6].map((seq) => message(seq, { user_id: seq % 2 ? "inga" : "maja" }))
const GARDEN = [1, 2, 3].map((seq) =>
  message(seq, { conversation_id: "garden", message_id: `g${seq}`, client_id: `gc${seq}`, user_id: "maja" }),
)
const DRAWN = 120
const HALL = Array.from({ length: DRAWN }, (_, index) =>
  message(index + 1, { conversation_id: "hall", message_id: `h${index + 1}`, client_id: `hc${index + 1}` }),
)
const SUMMARIES = [summary("kitchen", KITCHEN), summary("garden", GARDEN), summary("hall", HALL)]
const JOINED: Readonly<Record<string, JoinReply>> = {
  "message:group:kitchen": joined("kitchen", KITCHEN),
  "message:group:garden": joined("garden", GARDEN),
  "message:group:hall": joined("hall", HALL),
}

function summary(id: string, messages: readonly Message[]): ConversationSummary {
  return conversation(id, { last_seq: messages.length, last_message: messages.at(-1) ?? null })
}

function joined(id: string, messages: readonly Message[]): JoinReply {
  const head = { epoch: "e1", last_seq: messages.length, last_change: 0 }
  return {
    ...head,
    conversation: summary(id, messages),
    encryption_status: "disabled",
    messages,
    has_more: false,
    recovered: false,
    changes: [],
    has_more_changes: false,
    receipts: [],
  }
}

/** A server with two conversations. It holds each chunk of an upload until the test lets it pass. */
class FakeServer {
  readonly chunks: ((view: Partial<Upload>) => void)[] = []
  readonly user = { id: "maja", username: "maja" }
  readonly token = ""

  ensureFresh(): Promise<void> {
    return Promise.resolve()
  }

  request(method: string, path: string): Promise<object> {
    if (method === "POST") return Promise.resolve({ id: "upload", offset: 0, finished: false })
    const conversations = path === "/conversations?limit=200" ? SUMMARIES : []
    const marks = { pinned: [], starred: [], hidden: [] }
    return Promise.resolve({ conversations, next_cursor: null, families: [], people: [], ...marks })
  }

  sendChunk(): Promise<object> {
    return new Promise((resolve) => this.chunks.push((view) => resolve({ id: "upload", finished: false, ...view })))
  }
}

const BUBBLES = [
  ...["kitchen/m1", "kitchen/c2", "kitchen/m3", "kitchen/c4", "kitchen/m5", "kitchen/c6"],
  ...["garden/gc1", "garden/gc2", "garden/gc3"],
]
let server: FakeServer
let client: ChatClient
let panes: object[] = []

vi.setConfig({ testTimeout: 20_000 })

beforeEach(async () => {
  indexedDB = new IDBFactory()
  vi.spyOn(document, "hasFocus").mockReturnValue(false)
  server = new FakeServer()
  client = new ChatClient(server as unknown as Session)
  await client.start()
  await vi.waitFor(() => expect(client.ready).toBe(true))
  for (const id of ["kitchen", "garden"]) client.open(id) // what is drawn later has no owner
  panes = ["kitchen", "garden"].map((id) =>
    mount(ChatPane, { target: document.body, props: { client, id, leave: () => undefined } }),
  )
  await settled()
})

afterEach(async () => {
  await Promise.all(panes.map((pane) => unmount(pane)))
  await client.stop()
})

/** Wait until nothing has run for a while, then start to count. */
async function settled(): Promise<void> {
  let before = -1
  const total = () => [...runs.values()].reduce((sum, each) => sum + each, 0)
  while (before !== total()) {
    before = total()
    await new Promise((resolve) => setTimeout(resolve, 60))
  }
}

/** Return what `act` runs, and how often, by owner. */
async function runsOf(act: () => unknown): Promise<Record<string, number>> {
  runs.clear()
  await act()
  await settled()
  return Object.fromEntries(runs)
}

const onlyBubbles = (all: Record<string, number>) => Object.keys(all).filter((owner) => owner.includes("/"))

function emit(event: string, payload: object, id = "kitchen"): void {
  channels.get(`message:group:${id}`)?.emit(event, payload)
}

test("every bubble is counted", () => {
  for (const bubble of BUBBLES) expect(runs.get(bubble)).toBeGreaterThan(5)
})

test("a typing event runs nothing but the line below the messages of its conversation", async () => {
  const typing = await runsOf(() => emit("typing", { user_id: "inga", typing: true }))
  expect(document.querySelector(".typing")?.textContent).not.toBe("")
  expect(typing).toEqual({ kitchen: 2 }) // The sentence, and the text on the page.
  expect(await runsOf(() => emit("typing", { user_id: "inga", typing: false }))).toEqual({ kitchen: 2 })
})

test("the progress of an upload runs nothing but the bubble of its message", async () => {
  const blob = new Blob([new Uint8Array(2_000_000)])
  await client.pendingAttachments.add("kitchen", [{ kind: "file", blob, name: "film.mov" }], "kitchen")
  await client.send("kitchen", "look", client.pendingAttachments.of("kitchen"))
  await client.send("kitchen", "this waits until the film is there")
  await vi.waitFor(() => expect(server.chunks).toHaveLength(1))
  await settled()
  const [film, text] = client.outbox.map((each) => `kitchen/${each.client_id}`)
  expect([film, text].every((bubble) => runs.has(bubble ?? ""))).toBe(true)
  for (const offset of [524_288, 1_048_576]) {
    const progress = await runsOf(() => server.chunks.shift()?.({ offset }))
    expect(progress).toEqual({ [film ?? ""]: 2 }) // The share, and the bar on the page.
    expect(document.querySelector("progress")?.value).toBeCloseTo(offset / 2_000_000)
  }
})

test("a receipt asks each own message of its conversation once, and updates those that it reaches", async () => {
  const status = { user_id: "inga", device_kind: null, status: "read", seq: 4 }
  const receipt = await runsOf(() => emit("message_status", status))
  expect(receipt).toEqual({ "kitchen/c2": 7, "kitchen/c4": 7, "kitchen/c6": 2 }) // The receipts, and the status.
  const again = await runsOf(() => emit("message_status", status))
  expect(again).toEqual({ "kitchen/c2": 2, "kitchen/c4": 2, "kitchen/c6": 2 })
})

test("a new message runs its own bubble and no other", async () => {
  const received = await runsOf(() => emit("new_msg", message(7, { user_id: "inga" })))
  expect(onlyBubbles(received)).toEqual(["kitchen/m7"])
  const sent = await runsOf(() => client.send("kitchen", "hello"))
  expect(onlyBubbles(sent)).toEqual([`kitchen/${client.outbox[0]?.client_id}`])
})

const hallMessage = (seq: number) =>
  message(seq, { conversation_id: "hall", message_id: `h${seq}`, client_id: `hc${seq}`, user_id: "inga" })
const sum = (all: Record<string, number>) => Object.values(all).reduce((total, each) => total + each, 0)

test("a new message runs at most 80 derivations and effects while 120 bubbles are drawn", async () => {
  panes.push(mount(ChatPane, { target: document.body, props: { client, id: "hall", leave: () => undefined } }))
  await settled()
  expect(document.querySelectorAll('[data-entry^="h"]')).toHaveLength(DRAWN)
  const received = await runsOf(() => emit("new_msg", hallMessage(DRAWN + 1), "hall"))
  expect(onlyBubbles(received).sort()).toEqual(["hall/h1", "hall/h121"]) // The first one is no longer drawn.
  expect(sum(received)).toBeLessThan(80)
})

test("messages that arrive within a frame are drawn together", async () => {
  vi.spyOn(document, "hasFocus").mockReturnValue(true)
  panes.push(mount(ChatPane, { target: document.body, props: { client, id: "hall", leave: () => undefined } }))
  await settled()
  const one = await runsOf(() => emit("new_msg", hallMessage(DRAWN + 1), "hall"))
  const burst = await runsOf(async () => {
    for (let seq = DRAWN + 2; seq <= DRAWN + 20; seq++) {
      emit("new_msg", hallMessage(seq), "hall")
      await tick() // as after each frame of the WebSocket, Svelte updates what changed
    }
  })
  expect(document.querySelector(`[data-entry="h${DRAWN + 20}"]`)).not.toBeNull()
  expect(burst["hall"]).toBeLessThan(4 * (one["hall"] ?? 0)) // the pane, at the first message and at the next frames
})

test("an edited message runs its own bubble and no other", async () => {
  const edited = message(3, { user_id: "inga", body: "edited", change: 1, edited_at: "2026-11-23T13:00:00Z" })
  const changed = await runsOf(() => emit("message_updated", edited))
  expect(onlyBubbles(changed)).toEqual(["kitchen/m3"])
  expect(document.body.textContent).toContain("edited")
})
