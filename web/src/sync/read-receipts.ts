/** Says, a moment later and for many messages at once, that this device has them, or that its person has read them. */
import type { Channel } from "phoenix"

import type { Timeline } from "../models/timeline"

const AFTER_MS = 120

export class ReadReceipts {
  readonly #acknowledged = { delivered: 0, read: 0 }
  #active = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly me: string,
    private readonly channel: Channel,
    /** What is here; nothing, while the conversation cannot be told anything. */
    private readonly timeline: () => Timeline | undefined,
  ) {}

  /** Whether somebody is looking at the end of the conversation. */
  setActive(active: boolean): void {
    this.#active = active
    if (active) this.schedule()
  }

  schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const timeline = this.timeline()
      if (timeline) this.#acknowledge(timeline, this.#active ? "read" : "delivered")
    }, AFTER_MS)
  }

  /** The server has another history now, and has heard nothing of it. */
  reset(): void {
    Object.assign(this.#acknowledged, { delivered: 0, read: 0 })
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #acknowledge({ messages, last }: Timeline, status: "delivered" | "read"): void {
    // Before the first page is here, the end of the conversation is all that this device knows.
    const seq = messages.length === 0 ? last : messages.findLast((each) => each.user_id !== this.me)?.seq
    if (seq === undefined || seq <= this.#acknowledged[status] || seq === 0) return
    if (status === "read" && messages.length === 0) return
    this.channel.push("message_ack", { seq, status }).receive("ok", () => {
      this.#acknowledged[status] = Math.max(this.#acknowledged[status], seq)
      if (status === "read") this.#acknowledged.delivered = Math.max(this.#acknowledged.delivered, seq)
    })
  }
}
