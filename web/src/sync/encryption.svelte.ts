/**
 * End-to-end encryption of the conversations that require it. Its code, and the worker that has the keys, are loaded when
 * the user has such a conversation.
 */
import { SvelteMap } from "svelte/reactivity"

import { ApiError, Unreachable } from "../api/http"
import type { Message } from "../api/types"
import type { MessageContent } from "../crypto/content"
import { openPlain, type Opened, type Sealed } from "../crypto/seal"
import { EncryptedSince } from "../device/encrypted-since"
import type { ConversationInfo } from "../models/conversation-list"
import type { Session } from "../session/session"
import type { DeviceEncryption } from "./device-encryption"

/**
 * - `ready`: only the people in the conversation can read messages after `since`
 * - `waiting`: nothing can be sent before these users have opened Famichat
 * - `pending`: the user added another device first, and this one has no keys
 */
export type EncryptionState =
  | { readonly kind: "ready"; readonly since: number }
  | { readonly kind: "waiting"; readonly for: readonly string[] }
  | { readonly kind: "pending" }

/** A message, or a former version of it. */
export type Version = Pick<
  Message,
  | "conversation_id"
  | "message_id"
  | "seq"
  | "client_id"
  | "user_id"
  | "body"
  | "encryption_flag"
  | "encryption_version"
  | "key_id"
  | "protocol"
  | "sender_device_id"
>

export interface EncryptionContext {
  readonly session: Session
  info(conversationId: string): ConversationInfo | undefined
  /** The `seq` of the newest known message of a conversation. */
  lastSeq(conversationId: string): number
  /** Fetches a conversation, whose participants may have changed. */
  refresh(conversationId: string): Promise<void>
  /** This device has more keys of a conversation, or knows of more messages that they must be encrypted. */
  hasMoreKeys(conversationId: string): void
  /** A message could not be decrypted or verified. */
  report(conversationId: string, messageId: string, code: number): void
}

const PROTOCOL = "mls10"

export class Encryption {
  readonly #states = new SvelteMap<string, EncryptionState>()
  readonly #since: EncryptedSince
  #device: Promise<DeviceEncryption> | undefined

  constructor(private readonly context: EncryptionContext) {
    this.#since = new EncryptedSince(context.session.user.id)
  }

  /** Whether only ciphertext may be sent: because the server says so, or because this device has sent or read some. */
  isRequired(conversationId: string): boolean {
    const policy = this.context.info(conversationId)?.encryption_policy
    return policy === "required" || this.#since.of(conversationId) !== undefined
  }

  /** Whether this device encrypted a body. */
  isOwn(sealed: Sealed): boolean {
    return sealed.sender_device_id === this.context.session.deviceId
  }

  /** Whether a message that is not encrypted cannot be from a participant: they encrypt everything since then. */
  isForged(version: Pick<Message, "conversation_id" | "seq" | "encryption_flag">): boolean {
    return !version.encryption_flag && this.isEncryptedSince(version)
  }

  /** Whether the participants encrypted a message and everything that belongs to it. */
  isEncryptedSince({ conversation_id, seq }: Pick<Message, "conversation_id" | "seq">): boolean {
    return seq > (this.#since.of(conversation_id) ?? Infinity)
  }

  /** What to tell the user about a conversation; undefined unless it is known. */
  state(conversationId: string): EncryptionState | undefined {
    return this.#states.get(conversationId)
  }

  /** Publishes the keys of this device, so that others can add it. Tried again at the next call if it fails. */
  async start(): Promise<void> {
    await ignoringFailures(async () => await (await this.#load()).register())
  }

  /** Brings this device into the newest epoch of a conversation. */
  async follow(conversationId: string): Promise<void> {
    if (this.isRequired(conversationId)) this.#since.require(conversationId)
    await ignoringFailures(async () => {
      await this.#note(conversationId, await this.#load())
      this.context.hasMoreKeys(conversationId)
    })
  }

  /** The server has few key packages of this device left. */
  async publishKeyPackages(): Promise<void> {
    await ignoringFailures(async () => await (await this.#load()).publishKeyPackages())
  }

  /**
   * Encrypts a message or an edit for the participants. Must be called again after `epoch_changed`.
   *
   * @param subject the `client_id` of a message, or the id of the edited message
   * @throws {ApiError} `encryption_not_ready`: some participants have no keys yet; `device_pending`: this device has none;
   *   `untrusted_device`: others could read it, too; `encryption_unavailable`: this browser cannot encrypt
   * @throws {Unreachable} no response
   */
  async encrypt(
    kind: "message" | "edit",
    conversationId: string,
    subject: string,
    content: MessageContent,
  ): Promise<Sealed> {
    this.#since.require(conversationId) // from now on, also if the server changes its policy
    try {
      const device = await this.#load()
      const encrypted = await device.encrypt(kind, conversationId, subject, content)
      if (this.#states.get(conversationId)?.kind !== "ready") await this.#note(conversationId, device)
      return encrypted
    } catch (error) {
      if (!isExpected(error)) throw new ApiError(0, "encryption_unavailable")
      if (error instanceof ApiError && error.code === "encryption_not_ready") void this.follow(conversationId)
      throw error
    }
  }

  /** Decrypts and verifies a message. */
  async decrypt(message: Message): Promise<Opened> {
    const opened = await this.#decrypted(message, message.edited_at === null ? "message" : "edit", true)
    const { conversation_id, seq, encryption_flag, edited_at } = message
    // An encrypted edit says nothing about its place: the message may be from the time before.
    const isSentEncrypted = encryption_flag && edited_at === null && (opened.kind === "text" || opened.kind === "newer")
    if (isSentEncrypted && this.#since.set(conversation_id, seq - 1)) this.context.hasMoreKeys(conversation_id)
    return opened
  }

  /** Decrypts and verifies an earlier version of a message; all but the first are edits. */
  async decryptVersion(version: Version, kind: "message" | "edit"): Promise<Opened> {
    return await this.#decrypted(version, kind, false)
  }

  /** Stops the worker. The keys stay on this device: without them, it could never read these messages again. */
  async stop(): Promise<void> {
    const device = await this.#device?.catch(() => undefined)
    device?.stop()
  }

  async #decrypted(version: Version, kind: "message" | "edit", isCurrent: boolean): Promise<Opened> {
    if (this.isForged(version)) return { kind: "locked" }
    if (!version.encryption_flag) return openPlain(version)
    if (version.protocol !== PROTOCOL) return { kind: "locked" }
    try {
      return await (await this.#load()).decrypt(version, kind, isCurrent)
    } catch {
      return { kind: "locked" } // until this device has the keys
    }
  }

  async #note(conversationId: string, device: DeviceEncryption): Promise<void> {
    const state = await device.state(conversationId)
    const since = await device.encryptedSince(conversationId)
    if (since !== undefined) this.#since.set(conversationId, since)
    if (state) this.#states.set(conversationId, state)
    else this.#states.delete(conversationId)
  }

  #load(): Promise<DeviceEncryption> {
    this.#device ??= import("./device-encryption")
      .catch(() => Promise.reject(new Unreachable("the engine")))
      .then(({ DeviceEncryption }) => DeviceEncryption.start(this.context))
      .catch((error: unknown) => {
        this.#device = undefined // tried again at the next call
        throw error
      })
    return this.#device
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof ApiError || error instanceof Unreachable
}

/** What fails in the background is tried again when a message needs it, which tells the user. */
async function ignoringFailures(work: () => Promise<void>): Promise<void> {
  await work().catch(() => undefined)
}
