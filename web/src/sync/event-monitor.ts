/** Joins topics with an access token and reports every frame in both directions. */
import { Socket, type Channel } from "phoenix"

import type { Frame } from "../models/frames"
import type { ErrorReply } from "../api/types"

export type MonitorState = "closed" | "connecting" | "open" | "lost"

type MonitoredFrame = Omit<Frame, "number" | "at">

interface Incoming {
  readonly topic: string
  readonly event: string
  readonly payload: unknown
}

const PUSHED = /^(\S+) (\S+) \(/

export class EventMonitor {
  readonly #socket: Socket
  #channel: Channel | undefined

  constructor(token: string, onFrame: (frame: MonitoredFrame) => void, onState: (state: MonitorState) => void) {
    this.#socket = new Socket("/socket", {
      authToken: token,
      longPollFallbackMs: 3_000,
      // Phoenix's only hook for outgoing frames is its logger.
      logger: (kind, said, payload: unknown) => {
        const [, topic, event] = (kind === "push" && PUSHED.exec(said)) || []
        if (topic && event) onFrame({ direction: "out", topic, event, payload })
      },
    })
    this.#socket.onMessage((message: object) => {
      const { topic, event, payload } = message as Incoming
      onFrame({ direction: "in", topic, event, payload })
    })
    this.#socket.onOpen(() => onState("open"))
    this.#socket.onError(() => onState("lost"))
    this.#socket.onClose(() => onState("lost"))
    onState("connecting")
    this.#socket.connect()
  }

  /** Joins a topic, leaving the previous one. Resolves with the reason of a refusal, or undefined. */
  join(topic: string): Promise<string | undefined> {
    this.#channel?.leave()
    const channel = this.#socket.channel(topic)
    this.#channel = channel
    return new Promise((resolve) => {
      channel
        .join()
        .receive("ok", () => resolve(undefined))
        .receive("timeout", () => resolve("timeout"))
        .receive("error", (refusal: ErrorReply) => {
          channel.leave()
          resolve(refusal.reason)
        })
    })
  }

  push(event: string, payload: object): void {
    this.#channel?.push(event, payload)
  }

  close(): void {
    this.#socket.disconnect()
  }
}
