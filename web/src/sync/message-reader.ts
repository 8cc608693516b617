/** Decrypts each body and reaction once and caches the result. */
import { SvelteMap } from "svelte/reactivity"

import { isEncrypted, openPlain, openReaction, type Opened } from "../crypto/seal"
import { attachmentsOf } from "../models/messages/attachments"
import type { OpenedReaction } from "../models/messages/reactions"
import type { Attachment, Message } from "../api/types"

/** The readable content of one version of a message. */
interface OpenedVersion {
  readonly message: Message
  readonly opened: Opened
  readonly reactions: readonly OpenedReaction[]
}

/** What the reader needs of `Encryption`. */
export interface Decryption {
  decrypt(message: Message): Promise<Opened>
  /** Whether a message that is not encrypted cannot be from a participant. */
  isForged(message: Message): boolean
  /** Whether the participants encrypted a message and everything that belongs to it. */
  isEncryptedSince(message: Message): boolean
}

const NO_REACTIONS: readonly OpenedReaction[] = []
const NO_KEYS: Decryption = {
  decrypt: async () => ({ kind: "locked" }),
  isForged: () => false,
  isEncryptedSince: () => false,
}
/** Perhaps readable once this device has more keys. */
const WAITING_FOR_KEYS: ReadonlySet<Opened["kind"]> = new Set<Opened["kind"]>(["locked", "before"])

export class MessageReader {
  /** By message ID and change number. A reader of one version does not run when another version is opened. */
  readonly #versions = new SvelteMap<string, OpenedVersion>()
  #listener: (message: Message, opened: Opened) => void = () => undefined

  constructor(private readonly encryption: Decryption = NO_KEYS) {}

  /** Calls `listener` with each version that has been opened, and with each that will be. */
  listen(listener: (message: Message, opened: Opened) => void): void {
    this.#listener = listener
    for (const { message, opened } of this.#versions.values()) listener(message, opened)
  }

  /** Returns the contents of messages, and keeps none that were not kept before. */
  async readOnce(messages: readonly Message[]): Promise<readonly Opened[]> {
    return await Promise.all(messages.map(async (message) => this.read(message) ?? (await this.#text(message))))
  }

  /** Returns the content of a message; undefined while it is being decrypted. */
  read(message: Message): Opened | undefined {
    return this.#versions.get(version(message))?.opened
  }

  /** Returns the reactions to a message that this device can decrypt. */
  reactionsTo(message: Message): readonly OpenedReaction[] {
    return this.#versions.get(version(message))?.reactions ?? NO_REACTIONS
  }

  /** Returns the attachments of a message, unless only the server can have sent it. */
  attachmentsOf(message: Message): readonly Attachment[] {
    this.read(message) // A bubble runs again when the message turns out to be forged.
    return this.encryption.isForged(message) ? [] : attachmentsOf(message)
  }

  withoutForged(messages: readonly Message[]): readonly Message[] {
    return messages.filter((message) => !this.encryption.isForged(message))
  }

  async open(messages: readonly Message[]): Promise<void> {
    const closed = messages.filter((message) => !this.#versions.has(version(message)))
    // Readable before this returns, so that a bubble is drawn once, with its text.
    for (const message of closed) if (!isEncrypted(message)) this.#keep(this.#plain(message))
    const encrypted = closed.filter(isEncrypted)
    if (encrypted.length === 0) return
    const versions = await Promise.all(encrypted.map((message) => this.#decrypted(message)))
    // Together, so that the views update once for a page of messages.
    for (const each of versions) this.#keep(each)
  }

  /** Decrypts again what could not be decrypted, and hides forged messages that were taken for real ones. */
  async reopen(conversationId: string): Promise<void> {
    const known = [...this.#versions.values()].filter(({ message }) => message.conversation_id === conversationId)
    for (const { message, opened } of known) {
      if (opened.kind === "text" && this.encryption.isForged(message)) this.#keep(this.#plain(message))
    }
    const waiting = known.filter(({ opened }) => WAITING_FOR_KEYS.has(opened.kind))
    const versions = await Promise.all(waiting.map(({ message }) => this.#decrypted(message)))
    for (const each of versions) if (!WAITING_FOR_KEYS.has(each.opened.kind)) this.#keep(each)
  }

  #keep(opened: OpenedVersion): void {
    this.#versions.set(version(opened.message), opened)
    this.#listener(opened.message, opened.opened)
  }

  #plain(message: Message): OpenedVersion {
    const isForged = this.encryption.isEncryptedSince(message)
    const reactions = message.reactions.map(({ user_id, emoji }) => ({
      user_id,
      emoji: isForged ? undefined : (emoji ?? undefined),
    }))
    return { message, opened: this.#plainText(message), reactions: reactions.length > 0 ? reactions : NO_REACTIONS }
  }

  async #decrypted(message: Message): Promise<OpenedVersion> {
    const opened = await this.#text(message) // It may tell that the conversation is encrypted.
    const isForged = this.encryption.isEncryptedSince(message)
    const reactions = message.reactions.map(async (each) => ({
      user_id: each.user_id,
      emoji: isForged ? undefined : await openReaction(each),
    }))
    return { message, opened, reactions: await Promise.all(reactions) }
  }

  async #text(message: Message): Promise<Opened> {
    const isReadable = message.deleted_at === null && message.body !== null
    return isReadable && message.encryption_flag ? await this.encryption.decrypt(message) : this.#plainText(message)
  }

  #plainText(message: Message): Opened {
    if (message.deleted_at !== null) return { kind: "deleted" }
    return this.encryption.isForged(message) ? { kind: "locked" } : openPlain(message)
  }
}

function version(message: Message): string {
  return `${message.message_id} ${message.change}`
}
