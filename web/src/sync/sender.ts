/**
 * Sends what waits in one conversation: one message after the other, from one tab at a time, until each is stored. Words do
 * not wait longer than some seconds for the files of a message that was written before them.
 */
import type { Channel } from "phoenix"

import type { Mailbox } from "../device/outbox-store"
import { due, next, passes, patience, type Draft } from "../models/outbox"
import { kindOf } from "../models/attachments"
import { ApiError, Unreachable } from "../api/http"
import type { Refusal, Stored } from "../api/types"
import { Stopped, type Uploads } from "./uploads"

const ASK_AGAIN_MS = 1_000
/** So long a message waits for the files of the one before it. */
const PASS_AFTER_MS = 5_000

export class Sender {
  /** The drafts that are on their way: one, and one that passes it. */
  readonly #underway = new Set<string>()
  /** Whether the first of them has been for a while. */
  #slow = false
  #slowTimer: ReturnType<typeof setTimeout> | undefined
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
    this.flush()
  }

  /** It cannot, for the moment. What was on its way is sent again later: nobody knows whether it arrived. */
  closed(): void {
    this.#open = false
    if (this.#underway.size > 0) void this.mailbox.release(this.conversationId)
    this.#underway.clear()
    this.#hurry()
  }

  /**
   * Send what waits, in its order, whatever the server has to refuse on the way; see `next`.
   * Safe to call at any time: nothing is on its way twice, and a repeat is stored once.
   */
  flush(): void {
    const draft = this.#open ? next(this.mailbox.drafts, this.conversationId, this.#underway, this.#slow) : undefined
    if (draft === undefined) return
    if (this.#underway.size === 0) this.#patiently()
    this.#underway.add(draft.client_id)
    void this.#send(draft)
  }

  async #send(draft: Draft): Promise<void> {
    const mine = await this.mailbox.claim(draft)
    if (!this.#isUnderway(draft)) return // closed meanwhile
    if (!mine) {
      this.#stopped(draft)
      setTimeout(() => void this.#askAgain(), ASK_AGAIN_MS)
      return
    }
    const enclosed = draft.enclosures ? await this.#bring(draft) : {}
    if (enclosed === undefined || !this.#isUnderway(draft)) return
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
    return this.#isUnderway(draft) && (await this.mailbox.claim(draft))
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
    if (!this.#isUnderway(draft)) return
    if (!passes(refusal)) {
      await this.mailbox.refuse(draft.client_id, refusal.reason)
      await this.#next(draft)
      return
    }
    this.#stopped(draft)
    setTimeout(() => this.flush(), patience(refusal, ++this.#attempts))
  }

  async #next(draft: Draft): Promise<void> {
    this.#stopped(draft)
    if (due(this.mailbox.drafts, this.conversationId).length > 0) this.flush()
    else await this.mailbox.release(this.conversationId)
  }

  #isUnderway({ client_id }: Draft): boolean {
    return this.#underway.has(client_id)
  }

  #stopped({ client_id }: Draft): void {
    this.#underway.delete(client_id)
    if (this.#underway.size === 0) this.#hurry()
  }

  /** Let nothing pass for a while. */
  #patiently(): void {
    this.#slowTimer = setTimeout(() => {
      this.#slow = true
      this.flush()
    }, PASS_AFTER_MS)
  }

  #hurry(): void {
    clearTimeout(this.#slowTimer)
    this.#slow = false
  }
}
