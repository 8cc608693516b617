/**
 * Sends the outgoing messages of one conversation, one at a time and from one tab at a time, until each is stored.
 * Text-only messages overtake a message whose files take longer than a few seconds to upload.
 */
import type { Channel } from "phoenix"

import type { OutboxStore } from "../device/outbox-store"
import {
  sendable,
  nextToSend,
  sentText,
  isTransient,
  retryDelay,
  type OutgoingMessage,
} from "../models/messages/outbox"
import { messageTypeOf } from "../models/messages/attachments"
import { seal, type Sealed } from "../crypto/seal"
import { ApiError, Unreachable } from "../api/http"
import type { ErrorReply, SendReply } from "../api/types"
import type { Encryption } from "./encryption.svelte"
import { FilesRefused, UploadCancelled, type Uploads } from "./uploads.svelte"

const RECHECK_MS = 1_000
/** How long a message waits for the files of the previous one. */
const OVERTAKE_AFTER_MS = 5_000
/**
 * How often the server may fail on a message before it counts as refused. Once may be a coincidence, because all
 * conversations share the connection; without a limit, one message that the server cannot process would block its
 * conversation forever.
 */
const MAX_FAILURES = 3
/** How often in a row a message is encrypted for another epoch without a pause. */
const MAX_EPOCHS = 3

export class Sender {
  /** Messages being sent: one, and possibly one overtaking it. */
  readonly #inFlight = new Set<string>()
  /** Whether the first of them has been uploading for long. */
  #slow = false
  #slowTimer: ReturnType<typeof setTimeout> | undefined
  #attempts = 0
  /** Messages sent over the latest connection that have no reply. */
  readonly #unanswered = new Set<string>()
  /** How often the server failed on a message: it closed the connection, or reported an internal error. */
  readonly #failures = new Map<string, number>()
  /** Runs while the sender waits before it repeats a message that the server could not take. */
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #open = false
  /** Counts the connections that were lost: what one of them began does not continue in the next. */
  #lost = 0

  constructor(
    private readonly conversationId: string,
    private readonly channel: () => Channel | undefined,
    private readonly outboxStore: OutboxStore,
    private readonly uploads: Uploads,
    private readonly encryption: Pick<Encryption, "isRequired" | "isOwn" | "encrypt">,
    private readonly stored: (stored: SendReply) => void,
  ) {}

  /** Called when the conversation is joined. */
  opened(): void {
    this.#open = true
    this.#unanswered.clear()
    this.#endPause()
    this.flush()
  }

  /** Called when the conversation is no longer joined. Messages in flight are sent again later, because their outcome is unknown. */
  closed(): void {
    this.#open = false
    this.#lost += 1
    if (this.#inFlight.size > 0) void this.outboxStore.release(this.conversationId)
    this.#inFlight.clear()
    this.#endPause()
    this.#resetSlow()
  }

  /** Called after the server closed the connection because of a frame that it cannot process, such as one of these messages. */
  async frameRefused(): Promise<void> {
    const suspects = [...this.#unanswered]
    this.#unanswered.clear()
    for (const clientId of suspects) {
      if (this.#failedTooOften(clientId)) await this.outboxStore.refuse(clientId, "frame_refused")
    }
  }

  /**
   * Sends waiting messages in order, skipping those that the server rejects; see `next`.
   * Safe to call at any time: no message is in flight twice, and a repeated one is stored once.
   */
  flush(): void {
    const message =
      this.#open && this.#retryTimer === undefined
        ? nextToSend(this.outboxStore.messages, this.conversationId, this.#inFlight, this.#slow)
        : undefined
    if (message === undefined) return
    if (this.#inFlight.size === 0) this.#startSlowTimer()
    this.#inFlight.add(message.client_id)
    void this.#send(message)
  }

  async #send(message: OutgoingMessage): Promise<void> {
    const lost = this.#lost
    // After a rejoin the message is sent again, and what began before must not send it, too.
    const isCurrent = () => this.#lost === lost && this.#isInFlight(message)
    const claimed = await this.outboxStore.claim(message)
    if (!isCurrent()) return
    if (!claimed) {
      this.#settled(message)
      setTimeout(() => void this.#recheck(), RECHECK_MS)
      return
    }
    const sealed = await this.#sealed(message, isCurrent)
    if (sealed === undefined || !isCurrent()) return
    const files = message.enclosures ? await this.#upload(message, isCurrent) : {}
    if (files === undefined || !isCurrent()) return
    // Encryption may have begun while the files were uploaded.
    if (this.#mustEncrypt(sealed)) return await this.#notSendable(message, new ApiError(0, "encryption_required"))
    const reply_to = sealed.encryption_flag ? undefined : message.reply_to
    const rejected = (refusal: ErrorReply) => isCurrent() && void this.#rejected(message, refusal)
    this.#unanswered.add(message.client_id)
    this.channel()
      ?.push("new_msg", { ...sealed, ...files, client_id: message.client_id, reply_to })
      .receive("ok", (stored: SendReply) => void this.#acknowledged(message, stored))
      .receive("error", rejected)
      .receive("timeout", () => rejected({ reason: "timeout" }))
  }

  /**
   * Returns the body to send; undefined if there is none for now. A ciphertext is stored before it is sent: after a lost
   * reply the server recognizes it, but not another one of the same text.
   */
  async #sealed(message: OutgoingMessage, isCurrent: () => boolean): Promise<Sealed | undefined> {
    const { client_id, reply_to, sealed } = message
    if (!this.#mustEncrypt(sealed)) return sealed
    try {
      if (message.enclosures) throw new ApiError(0, "encryption_required")
      const content = { text: sentText(message), ...(reply_to !== undefined && { reply_to }) }
      const encrypted = await this.encryption.encrypt("message", this.conversationId, client_id, content)
      await this.outboxStore.setSealed(client_id, encrypted)
      return encrypted
    } catch (error) {
      if (isCurrent()) await this.#notSendable(message, error)
      return undefined
    }
  }

  #mustEncrypt(sealed: Sealed): boolean {
    return this.encryption.isRequired(this.conversationId) && !this.encryption.isOwn(sealed)
  }

  /** Uploads the files, and returns the fields that name them in the message; undefined if that fails for now. */
  async #upload(message: OutgoingMessage, isCurrent: () => boolean): Promise<object | undefined> {
    const saveUploadId = (...which: [string, string, string]) => this.outboxStore.setUploadId(...which)
    try {
      const ids = await this.uploads.upload(message, saveUploadId, () => this.#stillMine(message))
      return { attachment_ids: ids, message_type: messageTypeOf((message.enclosures ?? []).map(({ kind }) => kind)) }
    } catch (error) {
      if (isCurrent()) await this.#notSendable(message, error)
      return undefined
    }
  }

  async #notSendable(message: OutgoingMessage, error: unknown): Promise<void> {
    if (error instanceof ApiError) await this.#rejected(message, { reason: error.code })
    else if (error instanceof Unreachable) await this.#rejected(message, { reason: "timeout" })
    else if (error instanceof FilesRefused) {
      await this.outboxStore.refuseFiles(message.client_id, error.reasons)
      await this.#next(message)
    } else if (error instanceof UploadCancelled) await this.#next(message)
    else throw error
  }

  /** Renews the claim to send, which a long upload must do repeatedly. */
  async #stillMine(message: OutgoingMessage): Promise<boolean> {
    return this.#isInFlight(message) && (await this.outboxStore.claim(message))
  }

  /** Reloads the outbox, because another tab is sending. */
  async #recheck(): Promise<void> {
    await this.outboxStore.load()
    this.flush()
  }

  async #acknowledged(message: OutgoingMessage, stored: SendReply): Promise<void> {
    this.#attempts = 0
    this.#unanswered.delete(message.client_id)
    this.#failures.delete(message.client_id)
    this.stored(stored)
    await this.outboxStore.remove(message.client_id)
    await this.#next(message)
  }

  async #rejected(message: OutgoingMessage, refusal: ErrorReply): Promise<void> {
    this.#unanswered.delete(message.client_id)
    if (this.encryption.isRequired(this.conversationId)) {
      if (refusal.reason === "epoch_changed") return await this.#encryptAgain(message)
      // Only a former ciphertext of this message can have been stored: its reply was lost.
      if (refusal.reason === "conflict") {
        await this.outboxStore.remove(message.client_id)
        return await this.#next(message)
      }
    }
    const isFault = refusal.reason === "internal_error"
    if (!isTransient(refusal) || (isFault && this.#failedTooOften(message.client_id))) {
      await this.outboxStore.refuse(message.client_id, refusal.reason)
      await this.#next(message)
      return
    }
    this.#settled(message)
    this.#pause(retryDelay(refusal, ++this.#attempts))
  }

  /** The server stored nothing, because the epoch has ended or its roster is not right. */
  async #encryptAgain(message: OutgoingMessage): Promise<void> {
    await this.outboxStore.setSealed(message.client_id, await seal(sentText(message)))
    this.#settled(message)
    this.#attempts += 1
    if (this.#attempts > MAX_EPOCHS) this.#pause(retryDelay({ reason: "epoch_changed" }, this.#attempts))
    else this.flush()
  }

  /** Counts a failure of the server on a message. Returns true, and starts again at zero, if it was the last permitted one. */
  #failedTooOften(clientId: string): boolean {
    const failures = (this.#failures.get(clientId) ?? 0) + 1
    if (failures < MAX_FAILURES) this.#failures.set(clientId, failures)
    else this.#failures.delete(clientId)
    return failures === MAX_FAILURES
  }

  /** Sends nothing for `ms`: without this, each message that is written would repeat the refused one at once. */
  #pause(ms: number): void {
    this.#endPause()
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined
      this.flush()
    }, ms)
  }

  #endPause(): void {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = undefined
  }

  async #next(message: OutgoingMessage): Promise<void> {
    this.#settled(message)
    if (sendable(this.outboxStore.messages, this.conversationId).length > 0) this.flush()
    else await this.outboxStore.release(this.conversationId)
  }

  #isInFlight({ client_id }: OutgoingMessage): boolean {
    return this.#inFlight.has(client_id)
  }

  #settled({ client_id }: OutgoingMessage): void {
    this.#inFlight.delete(client_id)
    if (this.#inFlight.size === 0) this.#resetSlow()
  }

  /** Pauses sending for a while. */
  #startSlowTimer(): void {
    this.#slowTimer = setTimeout(() => {
      this.#slow = true
      this.flush()
    }, OVERTAKE_AFTER_MS)
  }

  #resetSlow(): void {
    clearTimeout(this.#slowTimer)
    this.#slow = false
  }
}
