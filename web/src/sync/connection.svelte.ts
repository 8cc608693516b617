/** The connection to the server: the official Phoenix client, always with a valid token. */
import { Socket } from "phoenix"

import { Unreachable } from "../api/http"
import { toJson } from "../api/json"
import type { Session } from "../session/session"

export type ConnectionState = "connecting" | "open" | "lost"

const RETRY_MS = [250, 500, 1_000, 2_000, 5_000]
const MAX_RETRY_MS = 10_000
const LONG_POLL_AFTER_MS = 3_000
const REFRESH_EVERY_MS = 30_000
const FAILURES_BEFORE_CHECK = 2

export class Connection {
  readonly socket: Socket
  state = $state<ConnectionState>("connecting")
  #failures = 0
  #refreshTimer: ReturnType<typeof setInterval> | undefined

  constructor(private readonly session: Session) {
    const authToken = () => session.token
    this.socket = new Socket("/socket", {
      // Phoenix also accepts a function, so that each reconnect sends the current token; its types lack this.
      authToken: authToken as unknown as string,
      encode,
      longPollFallbackMs: LONG_POLL_AFTER_MS,
      reconnectAfterMs: (tries) => jittered(RETRY_MS[tries - 1] ?? MAX_RETRY_MS),
      rejoinAfterMs: (tries) => jittered(RETRY_MS[tries + 1] ?? MAX_RETRY_MS),
    })
    this.socket.onOpen(() => this.#opened())
    this.socket.onClose(() => this.#lost())
    this.socket.onError(() => this.#lost())
  }

  async open(): Promise<void> {
    this.#refreshTimer = setInterval(() => void this.#refreshToken(), REFRESH_EVERY_MS)
    await this.#refreshToken()
    this.socket.connect()
  }

  close(): void {
    clearInterval(this.#refreshTimer)
    this.socket.disconnect()
  }

  #opened(): void {
    this.#failures = 0
    // Once a WebSocket has worked, losing it means that the server is unreachable, not that a proxy blocks WebSockets.
    // Phoenix would fall back to long polling and stay there.
    if (this.socket.endPointURL().startsWith("ws")) {
      Object.assign(this.socket, { longPollFallbackMs: undefined })
    }
    this.state = "open"
  }

  #lost(): void {
    this.#failures += 1
    if (this.state !== "connecting") this.state = "lost"
    void this.#refreshToken()
  }

  async #refreshToken(): Promise<void> {
    try {
      await this.session.ensureFresh()
      // Browsers do not report why a connection was refused; this device may have been signed out.
      if (this.#failures >= FAILURES_BEFORE_CHECK) await this.session.request("GET", "/me")
    } catch (error) {
      if (!(error instanceof Unreachable)) console.warn("the sign-in could not be renewed", error)
    }
  }
}

interface Frame {
  readonly join_ref: string | null
  readonly ref: string
  readonly topic: string
  readonly event: string
  readonly payload: object
}

/** Encodes a frame of serializer version 2.0.0. */
function encode(frame: object, callback: (encoded: string) => void): void {
  const { join_ref, ref, topic, event, payload } = frame as Frame
  callback(toJson([join_ref, ref, topic, event, payload]))
}

/** Random delay, so that not all clients reconnect at the same moment after a restart. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}
