/** Sends delivered and read receipts, batched over a short delay. */
import type { Channel } from "phoenix"

import type { Timeline } from "../models/messages/timeline"

const AFTER_MS = 120

export class ReadReceipts {
  readonly #acknowledged = { delivered: 0, read: 0 }
  /** Whether the user is looking at the end of the conversation. */
  active = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly me: string,
    private readonly channel: () => Channel | undefined,
    /** Returns the timeline, or undefined while the conversation is not joined. */
    private readonly timeline: () => Timeline | undefined,
  ) {}

  setActive(active: boolean): void {
    this.active = active
    if (active) this.schedule()
  }

  schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const timeline = this.timeline()
      if (timeline) this.#acknowledge(timeline, this.active ? "read" : "delivered")
    }, AFTER_MS)
  }

  /** Resets the sent positions after the database epoch changed. */
  reset(): void {
    Object.assign(this.#acknowledged, { delivered: 0, read: 0 })
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #acknowledge({ messages, last }: Timeline, status: "delivered" | "read"): void {
    // Before the first page is loaded, only the end of the conversation is known.
    const seq = messages.length === 0 ? last : messages.findLast((each) => each.user_id !== this.me)?.seq
    if (seq === undefined || seq <= this.#acknowledged[status] || seq === 0) return
    if (status === "read" && messages.length === 0) return
    this.channel()
      ?.push("message_ack", { seq, status })
      .receive("ok", () => {
        this.#acknowledged[status] = Math.max(this.#acknowledged[status], seq)
        if (status === "read") this.#acknowledged.delivered = Math.max(this.#acknowledged.delivered, seq)
      })
  }
}
