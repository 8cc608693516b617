/** A Phoenix server in memory (serializer version 2.0.0), behind `WebSocket`: the real Phoenix client connects to it. */
import { vi } from "vitest"

const TOKEN_PREFIX = "base64url.bearer.phx."

/** A frame that a client sent. */
export interface ClientFrame {
  readonly topic: string
  readonly event: string
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each test knows the payload of the event it checks
  readonly payload: any
  readonly joinRef: string | null
  readonly ref: string
  readonly socket: FakeWebSocket
}

/** Returns the response of an `ok` reply, a `Refused`, or undefined to send no reply. */
export type FrameHandler = (frame: ClientFrame) => object | Refused | undefined

/** An `error` reply. */
export class Refused {
  constructor(readonly response: object) {}
}

export function refuse(reason: string, details: object = {}): Refused {
  return new Refused({ reason, ...details })
}

const OPEN = 1
const CLOSED = 3

export class FakeWebSocket {
  readyState = 0
  readonly bufferedAmount = 0
  /** Whether the network drops every frame and does not report it. */
  silent = false
  readonly joined = new Map<string, string | null>()
  onopen: () => void = () => undefined
  onerror: (event: object) => void = () => undefined
  onclose: (event: object) => void = () => undefined
  onmessage: (event: { readonly data: string }) => void = () => undefined

  constructor(
    private readonly server: PhoenixServer,
    readonly url: string,
    /** The access token, which the client sends as a WebSocket subprotocol. */
    readonly token: string,
  ) {
    queueMicrotask(() => this.#open())
  }

  send(data: string): void {
    const [joinRef, ref, topic, event, payload] = JSON.parse(data) as [string | null, string, string, string, unknown]
    if (this.silent) return
    queueMicrotask(() => this.server.receive({ joinRef, ref, topic, event, payload, socket: this }))
  }

  close(code = 1000): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    queueMicrotask(() => this.onclose({ code }))
  }

  deliver(joinRef: string | null, ref: string | null, topic: string, event: string, payload: object): void {
    if (this.readyState === OPEN && !this.silent)
      this.onmessage({ data: JSON.stringify([joinRef, ref, topic, event, payload]) })
  }

  #open(): void {
    if (this.readyState === CLOSED || this.silent) return
    if (this.server.reachable) {
      this.readyState = OPEN
      this.onopen()
    } else {
      this.readyState = CLOSED
      this.onerror({ type: "error" })
      this.onclose({ code: 1006 })
    }
  }
}

export class PhoenixServer {
  readonly sockets: FakeWebSocket[] = []
  /** Every frame that clients sent, without heartbeats. */
  readonly frames: ClientFrame[] = []
  /** Whether new connections succeed. */
  reachable = true
  /** Whether the network drops everything on new connections. */
  silent = false
  /** How long a heartbeat waits for its reply. */
  latencyMs = 0
  readonly #handlers: { readonly topic: RegExp; readonly event: string; readonly handle: FrameHandler }[] = []

  constructor() {
    this.handle(/^/, "phx_join", () => ({}))
    this.handle(/^/, "phx_leave", ({ socket, topic }) => {
      socket.joined.delete(topic)
      return {}
    })
  }

  /** Replaces `WebSocket` until `vi.unstubAllGlobals`. */
  install(): void {
    const connect = (url: string, protocols: readonly string[]) => this.#connect(url, protocols)
    vi.stubGlobal(
      "WebSocket",
      class {
        constructor(url: string, protocols: readonly string[]) {
          return connect(url, protocols)
        }
      },
    )
  }

  /** Adds a handler of an event; the newest that matches wins. */
  handle(topic: RegExp, event: string, handle: FrameHandler): void {
    this.#handlers.unshift({ topic, event, handle })
  }

  /** The frames of one event, oldest first. */
  framesOf(event: string): readonly ClientFrame[] {
    return this.frames.filter((frame) => frame.event === event)
  }

  /** The payloads of one event, oldest first. */
  payloadsOf(event: string): readonly ClientFrame["payload"][] {
    return this.framesOf(event).map(({ payload }) => payload)
  }

  /** Sends an event to every client that has joined the topic. */
  push(topic: string, event: string, payload: object): void {
    for (const socket of this.sockets) {
      const joinRef = socket.joined.get(topic)
      if (joinRef !== undefined) socket.deliver(joinRef, null, topic, event, payload)
    }
  }

  /** Replies to a frame that its handler left without a reply. */
  reply({ socket, joinRef, ref, topic }: ClientFrame, response: object | Refused): void {
    const status = response instanceof Refused ? "error" : "ok"
    const payload = { status, response: response instanceof Refused ? response.response : response }
    socket.deliver(joinRef, ref, topic, "phx_reply", payload)
  }

  /** Drops every further frame of the existing connections, without closing them: a silent network change. */
  silence(): void {
    for (const socket of this.sockets) socket.silent = true
  }

  /** Loses every connection, as a network failure does. */
  drop(): void {
    for (const socket of this.sockets) socket.close(1006)
  }

  receive(frame: ClientFrame): void {
    if (frame.topic === "phoenix") return this.#replyLate(frame)
    this.frames.push(frame)
    const found = this.#handlers.find(({ topic, event }) => event === frame.event && topic.test(frame.topic))
    const response = found ? found.handle(frame) : undefined
    if (response === undefined) return
    if (frame.event === "phx_join" && !(response instanceof Refused)) {
      frame.socket.joined.set(frame.topic, frame.joinRef)
    }
    this.reply(frame, response)
  }

  #replyLate(heartbeat: ClientFrame): void {
    if (this.latencyMs === 0) this.reply(heartbeat, {})
    else setTimeout(() => this.reply(heartbeat, {}), this.latencyMs)
  }

  #connect(url: string, protocols: readonly string[] = []): FakeWebSocket {
    const encoded = protocols.find((each) => each.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length) ?? ""
    const socket = new FakeWebSocket(this, url, atob(encoded))
    socket.silent = this.silent
    this.sockets.push(socket)
    return socket
  }
}
