/**
 * Acknowledges messages of conversations that are not joined. They arrived on this device by the user's channel, so their
 * senders see them as delivered.
 */
import type { Channel } from "phoenix"

import type { ErrorReply } from "../api/types"
import { isTransient, retryDelay } from "../models/messages/outbox"

const AFTER_MS = 120
/** The server accepts this many conversations in one event. */
const MAX_CONVERSATIONS = 50

export class DeliveryAcks {
  /** By topic: the position to acknowledge. */
  readonly #waiting = new Map<string, number>()
  /** By topic: the position acknowledged since the user's channel was joined. */
  readonly #acknowledged = new Map<string, number>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #attempts = 0

  constructor(private readonly channel: Channel) {}

  /** Acknowledges all messages of a conversation up to `seq`, a moment later. */
  add(topic: string, seq: number): void {
    if (seq <= (this.#acknowledged.get(topic) ?? 0)) return
    this.#waiting.set(topic, Math.max(seq, this.#waiting.get(topic) ?? 0))
    this.#schedule(AFTER_MS)
  }

  /** Called after each join of the user's channel: sends the waiting positions, also those sent before. */
  joined(): void {
    this.#acknowledged.clear()
    if (this.#waiting.size > 0) this.#schedule(AFTER_MS)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #schedule(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#send()
    }, ms)
  }

  #send(): void {
    if (this.channel.state !== "joined") return // `joined` sends it
    const batch = [...this.#waiting].slice(0, MAX_CONVERSATIONS)
    if (batch.length === 0) return
    for (const [topic] of batch) this.#waiting.delete(topic)
    const failed = (refusal: ErrorReply) => isTransient(refusal) && this.#retry(batch, refusal)
    this.channel
      .push("message_acks", { acks: batch.map(([topic, seq]) => ({ topic, seq })) })
      .receive("ok", () => this.#stored(batch))
      .receive("error", failed)
      .receive("timeout", () => failed({ reason: "timeout" }))
  }

  #stored(batch: readonly (readonly [string, number])[]): void {
    this.#attempts = 0
    for (const [topic, seq] of batch) this.#acknowledged.set(topic, seq)
    if (this.#waiting.size > 0) this.#schedule(0)
  }

  #retry(batch: readonly (readonly [string, number])[], refusal: ErrorReply): void {
    for (const [topic, seq] of batch) this.#waiting.set(topic, Math.max(seq, this.#waiting.get(topic) ?? 0))
    this.#schedule(retryDelay(refusal, ++this.#attempts))
  }
}
