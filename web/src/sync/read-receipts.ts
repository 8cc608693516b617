/** Says, a moment later and for many messages at once, that this device has them, or that its person has read them. */
import type { Channel } from "phoenix"

import type { Timeline } from "../models/timeline"

const AFTER_MS = 120

export class Attendance {
  readonly #said = { delivered: 0, read: 0 }
  #attended = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly me: string,
    private readonly channel: Channel,
    /** What is here; nothing, while the conversation cannot be told anything. */
    private readonly here: () => Timeline | undefined,
  ) {}

  /** Whether somebody is looking at the end of the conversation. */
  attend(attended: boolean): void {
    this.#attended = attended
    if (attended) this.sayAgain()
  }

  sayAgain(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      const here = this.here()
      if (here) this.#say(here, this.#attended ? "read" : "delivered")
    }, AFTER_MS)
  }

  /** The server has another history now, and has heard nothing of it. */
  beginAnew(): void {
    Object.assign(this.#said, { delivered: 0, read: 0 })
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #say({ messages, last }: Timeline, status: "delivered" | "read"): void {
    // Before the first page is here, the end of the conversation is all that this device knows.
    const seq = messages.length === 0 ? last : messages.findLast((each) => each.user_id !== this.me)?.seq
    if (seq === undefined || seq <= this.#said[status] || seq === 0) return
    if (status === "read" && messages.length === 0) return
    this.channel.push("message_ack", { seq, status }).receive("ok", () => {
      this.#said[status] = Math.max(this.#said[status], seq)
      if (status === "read") this.#said.delivered = Math.max(this.#said.delivered, seq)
    })
  }
}
