/** Sends what waits in one conversation: one message after the other, from one tab at a time, until each is stored. */
import type { Channel } from "phoenix"

import type { Mailbox } from "../kept/mailbox"
import { due, passes, patience, type Draft } from "../models/outbox"
import { kindOf } from "../models/enclosures"
import { ApiError, Unreachable } from "./api"
import type { Refusal, Stored } from "./shapes"
import { Stopped, type Uploads } from "./uploads"

const ASK_AGAIN_MS = 1_000

export class Sender {
  /** The draft that is on its way. */
  #sending: string | undefined
  #attempts = 0
  #open = false

  constructor(
    private readonly conversationId: string,
    private readonly channel: Channel,
    private readonly mailbox: Mailbox,
    private readonly uploads: Uploads,
    private readonly stored: (stored: Stored) => void,
  ) {}

  /** The conversation can be written to now. */
  opened(): void {
    this.#open = true
    this.#sending = undefined
    this.flush()
  }

  /** It cannot, for the moment. What was on its way is sent again later: nobody knows whether it arrived. */
  closed(): void {
    this.#open = false
    if (this.#sending !== undefined) void this.mailbox.release(this.conversationId)
    this.#sending = undefined
  }

  /**
   * Send what waits, one after the other, so that it keeps its order whatever the server has to refuse on the way.
   * Safe to call at any time: nothing is on its way twice, and a repeat is stored once.
   */
  flush(): void {
    const [draft] = due(this.mailbox.drafts, this.conversationId)
    if (!this.#open || this.#sending !== undefined || draft === undefined) return
    this.#sending = draft.client_id
    void this.#send(draft)
  }

  async #send(draft: Draft): Promise<void> {
    const mine = await this.mailbox.claim(draft)
    if (this.#sending !== draft.client_id) return // closed meanwhile
    if (!mine) {
      this.#sending = undefined
      setTimeout(() => void this.#askAgain(), ASK_AGAIN_MS)
      return
    }
    const enclosed = draft.enclosures ? await this.#bring(draft) : {}
    if (enclosed === undefined || this.#sending !== draft.client_id) return
    this.channel
      .push("new_msg", { ...draft.sealed, ...enclosed, client_id: draft.client_id, reply_to: draft.reply_to })
      .receive("ok", (stored: Stored) => void this.#done(draft, stored))
      .receive("error", (refusal: Refusal) => void this.#refused(draft, refusal))
      .receive("timeout", () => void this.#refused(draft, { reason: "timeout" }))
  }

  /** Bring the files first, then say which message they go with; nothing, if that cannot be now. */
  async #bring(draft: Draft): Promise<object | undefined> {
    const label = (...which: [string, string, string]) => this.mailbox.label(...which)
    try {
      const ids = await this.uploads.bring(draft, label, () => this.#holds(draft))
      return { attachment_ids: ids, message_type: kindOf((draft.enclosures ?? []).map(({ kind }) => kind)) }
    } catch (error) {
      if (error instanceof Stopped) await this.#next(draft)
      else if (error instanceof ApiError) await this.#refused(draft, { reason: error.code })
      else if (error instanceof Unreachable) await this.#refused(draft, { reason: "timeout" })
      else throw error
      return undefined
    }
  }

  /** Whether it is still our turn, which a long upload must ask for again and again. */
  async #holds(draft: Draft): Promise<boolean> {
    return this.#sending === draft.client_id && (await this.mailbox.claim(draft))
  }

  /** Another tab has the turn: see what it has done by now. */
  async #askAgain(): Promise<void> {
    await this.mailbox.load()
    this.flush()
  }

  async #done(draft: Draft, stored: Stored): Promise<void> {
    this.#attempts = 0
    this.stored(stored)
    await this.mailbox.remove(draft.client_id)
    await this.#next(draft)
  }

  async #refused(draft: Draft, refusal: Refusal): Promise<void> {
    if (this.#sending !== draft.client_id) return
    if (!passes(refusal)) {
      await this.mailbox.refuse(draft.client_id, refusal.reason)
      await this.#next(draft)
      return
    }
    this.#sending = undefined
    setTimeout(() => this.flush(), patience(refusal, ++this.#attempts))
  }

  async #next(draft: Draft): Promise<void> {
    if (this.#sending === draft.client_id) this.#sending = undefined
    if (due(this.mailbox.drafts, this.conversationId).length > 0) this.flush()
    else await this.mailbox.release(this.conversationId)
  }
}
