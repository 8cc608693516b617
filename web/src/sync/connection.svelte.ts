/** The connection to the server: the official Phoenix client, always with a valid token, and probed for silent failures. */
import { LongPoll, Socket } from "phoenix"

import { NotFamichat, socketAllowed, Unreachable } from "../api/http"
import { toJson } from "../api/json"
import type { Session } from "../session/session"

/**
 * - `connecting`: no connection yet, and no failure either
 * - `offline`: this device has no network
 * - `lost`: the server does not respond
 * - `wrong_server`: something other than Famichat responds, such as a captive portal
 * - `wrong_address`: the server responds, but accepts no connections from pages of this address
 */
export type ConnectionState = "connecting" | "open" | "offline" | "lost" | "wrong_server" | "wrong_address"
export type ConnectionTrouble = Exclude<ConnectionState, "open">

const RETRY_MS = [250, 500, 1_000, 2_000, 5_000]
const MAX_RETRY_MS = 10_000
const REFRESH_EVERY_MS = 30_000
const FAILURES_BEFORE_CHECK = 2
/** How long a connection attempt may take, and the first ones: a proxy may block WebSockets without saying so. */
const CONNECT_TIMEOUT_MS = 20_000
const FIRST_CONNECT_TIMEOUT_MS = 3_000
/** Long polling replaces WebSockets that failed this often while HTTP worked. */
const FAILURES_BEFORE_LONG_POLL = 2
/**
 * Earlier failures say nothing about WebSockets: the server may have answered 429 because this device connects too often,
 * which browsers do not report. It accepts two connections a second.
 */
const LIMITED_MS = 1_000
/** How long a probe waits for its reply, on a fast network and at most. */
const PROBE_TIMEOUT_MS = 3_000
const MAX_PROBE_TIMEOUT_MS = 24_000
/** How long a push may stay without a reply before the connection is probed. With the probe: less than 5 s. */
const REPLY_EXPECTED_MS = 1_500
/** Shorter interruptions are not shown. */
const SHOWN_AFTER_MS = 1_000

interface Frame {
  readonly join_ref: string | null
  readonly ref: string | null
  readonly topic: string
  readonly event: string
  readonly payload: object
}

export class Connection {
  readonly socket: Socket
  state = $state<ConnectionState>("connecting")
  /** What to tell the user: the state, once it has been other than `open` for a second. */
  trouble = $state<ConnectionTrouble>()
  /** The address that the server is set up for, if it refuses connections from this one. */
  address = $state<string>()
  #running = false
  /** Whether a connection has worked. */
  #worked = false
  #checking = false
  /** How often a connection failed although HTTP works, before any has worked. */
  #blocked = 0
  #openedAt = 0
  #failures = 0
  #refreshTimer: ReturnType<typeof setInterval> | undefined
  #attemptTimer: ReturnType<typeof setTimeout> | undefined
  #probeTimer: ReturnType<typeof setTimeout> | undefined
  #troubleTimer: ReturnType<typeof setTimeout> | undefined
  /** Adapts to slow networks, on which a short timeout would end every connection. */
  #probeTimeoutMs = PROBE_TIMEOUT_MS
  /** By ref: pushes without a reply. */
  readonly #unanswered = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #events = new AbortController()

  /** @param onDead called when the connection turns out to be dead, as everything else that it carried is */
  constructor(
    private readonly session: Session,
    private readonly onDead: () => void,
  ) {
    const authToken = () => session.token
    this.socket = new Socket("/socket", {
      // Phoenix also accepts a function, so that each reconnect sends the current token; its types lack this.
      authToken: authToken as unknown as string,
      encode: (frame, callback) => {
        this.#sent(frame as Frame)
        encode(frame as Frame, callback)
      },
      reconnectAfterMs: (tries) => this.#nextAttemptAfter(jittered(RETRY_MS[tries - 1] ?? MAX_RETRY_MS)),
      rejoinAfterMs: (tries) => jittered(RETRY_MS[tries + 1] ?? MAX_RETRY_MS),
    })
    this.socket.onMessage((frame) => this.#received(frame as Frame))
    this.socket.onClose(() => this.#lost())
    this.socket.onError(() => this.#lost())
  }

  async open(): Promise<void> {
    this.#running = true
    this.#openedAt = Date.now()
    this.#refreshTimer = setInterval(() => void this.#check(), REFRESH_EVERY_MS)
    this.#listen()
    this.#show(isOffline() ? "offline" : "connecting")
    await this.#check()
    if (!this.#running) return
    this.#nextAttemptAfter(0)
    this.socket.connect()
  }

  close(): void {
    this.#running = false
    this.#events.abort()
    clearInterval(this.#refreshTimer)
    clearTimeout(this.#troubleTimer)
    this.#clearTimers()
    this.socket.disconnect()
  }

  /** Probes the connection whenever the network may have changed unnoticed. */
  #listen(): void {
    const { signal } = this.#events
    const probe = () => this.#probe()
    const probeIfVisible = () => globalThis.document?.visibilityState !== "hidden" && this.#probe()
    for (const event of ["online", "pageshow"]) addEventListener(event, probe, { signal })
    addEventListener("visibilitychange", probeIfVisible, { signal })
    addEventListener("offline", () => this.#wentOffline(), { signal })
    globalThis.document?.addEventListener("resume", probe, { signal })
    // A phone changes from Wi-Fi to mobile data without being offline in between. Only Chromium reports this.
    const { connection } = navigator as { connection?: EventTarget }
    connection?.addEventListener("change", probe, { signal })
  }

  /** Reconnects unless the connection replies in time. */
  #probe(): void {
    if (!this.#running || this.#probeTimer !== undefined) return
    const state = this.socket.connectionState()
    if (state === "closed" || state === "closing") return this.#reconnect()
    this.#probeTimer = setTimeout(() => this.#dead(), this.#probeTimeoutMs)
    this.socket.ping((latency) => {
      this.#probeTimeoutMs = Math.min(Math.max(PROBE_TIMEOUT_MS, 2 * latency), MAX_PROBE_TIMEOUT_MS)
    })
  }

  #dead(): void {
    this.#probeTimeoutMs = Math.min(2 * this.#probeTimeoutMs, MAX_PROBE_TIMEOUT_MS)
    this.onDead()
    this.#reconnect()
    this.#lost()
  }

  /** Connects now. Closing a dead connection politely would take as long as the network's timeouts. */
  #reconnect(): void {
    this.#clearTimers()
    this.#nextAttemptAfter(0)
    this.socket.disconnect()
    this.socket.connect()
  }

  /** Limits the time of a connection attempt that begins after `ms`. */
  #nextAttemptAfter(ms: number): number {
    const first = !this.#worked && this.#blocked < FAILURES_BEFORE_LONG_POLL
    const timeoutMs = first ? FIRST_CONNECT_TIMEOUT_MS : CONNECT_TIMEOUT_MS
    clearTimeout(this.#attemptTimer)
    this.#attemptTimer = setTimeout(() => this.#dead(), ms + timeoutMs)
    return ms
  }

  #sent({ topic, ref }: Frame): void {
    if (topic === "phoenix" || ref === null) return
    const overdue = () => {
      this.#unanswered.delete(ref)
      this.#probe()
    }
    this.#unanswered.set(ref, setTimeout(overdue, REPLY_EXPECTED_MS))
  }

  /** A reply proves that both directions work; an open transport does not. */
  #received({ ref }: Frame): void {
    if (ref === null) return
    clearTimeout(this.#unanswered.get(ref))
    this.#unanswered.delete(ref)
    clearTimeout(this.#probeTimer)
    clearTimeout(this.#attemptTimer)
    this.#probeTimer = this.#attemptTimer = undefined
    this.#failures = 0
    this.#worked = true
    this.#show("open")
  }

  #wentOffline(): void {
    this.#show("offline") // until the probe is answered: the server may be on this device
    this.#probe()
  }

  #lost(): void {
    if (!this.#running) return
    this.#failures += 1
    this.#clearReplyTimers()
    if (this.state === "open" || (this.state === "connecting" && this.#failures > 1)) this.#show(unreachable())
    void this.#check()
  }

  /** Refreshes the token. After failures, finds out why: browsers do not report why a connection was refused. */
  async #check(): Promise<void> {
    if (this.#checking) return
    this.#checking = true
    try {
      await this.session.ensureFresh()
      if (this.#failures < FAILURES_BEFORE_CHECK) return
      await this.session.request("GET", "/me") // this device may have been signed out
      if (!(await socketAllowed())) await this.#refusedHere()
      else if (this.state === "wrong_address") this.#reconnect()
      else this.#httpWorks()
    } catch (error) {
      if (error instanceof NotFamichat) this.#explain("wrong_server")
      else if (error instanceof Unreachable) this.#explain(unreachable())
      else console.warn("the sign-in could not be renewed", error)
    } finally {
      this.#checking = false
    }
  }

  /** Stops connecting, which would never succeed, until a later check finds that the server was set up for this address. */
  async #refusedHere(): Promise<void> {
    this.address = (await this.session.request<{ address?: string | null }>("GET", "/setup")).address ?? undefined
    this.#explain("wrong_address")
    this.#clearTimers()
    this.socket.disconnect()
  }

  #explain(why: ConnectionTrouble): void {
    if (this.#running && this.#failures >= FAILURES_BEFORE_CHECK) this.#show(why)
  }

  /**
   * Falls back to long polling if no WebSocket has ever worked. If one has, its loss means that the server is
   * unreachable, not that a proxy blocks WebSockets. Phoenix' own fallback cannot tell a blocked WebSocket from a network
   * that is away when the page opens, and would stay with long polling.
   */
  #httpWorks(): void {
    this.#explain(unreachable())
    if (this.#worked || !this.#running || Date.now() - this.#openedAt < LIMITED_MS) return
    if (++this.#blocked !== FAILURES_BEFORE_LONG_POLL) return
    this.socket.replaceTransport(LongPoll)
    this.#reconnect()
  }

  #show(state: ConnectionState): void {
    this.state = state
    if (state === "open") {
      clearTimeout(this.#troubleTimer)
      this.#troubleTimer = this.trouble = undefined
    } else if (this.trouble !== undefined) this.trouble = state
    else this.#troubleTimer ??= setTimeout(() => (this.trouble = this.state as ConnectionTrouble), SHOWN_AFTER_MS)
  }

  #clearTimers(): void {
    this.#clearReplyTimers()
    clearTimeout(this.#attemptTimer)
  }

  #clearReplyTimers(): void {
    clearTimeout(this.#probeTimer)
    this.#probeTimer = undefined
    for (const timer of this.#unanswered.values()) clearTimeout(timer)
    this.#unanswered.clear()
  }
}

/** Encodes a frame of serializer version 2.0.0. */
function encode({ join_ref, ref, topic, event, payload }: Frame, callback: (encoded: string) => void): void {
  callback(toJson([join_ref, ref, topic, event, payload]))
}

function isOffline(): boolean {
  return (navigator as { onLine?: boolean }).onLine === false
}

function unreachable(): ConnectionTrouble {
  return isOffline() ? "offline" : "lost"
}

/** Random delay, so that not all clients reconnect at the same moment after a restart. */
function jittered(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}
