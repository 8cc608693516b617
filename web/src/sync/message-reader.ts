/** Decrypts each body and reaction once and caches the result. */
import { SvelteMap } from "svelte/reactivity"

import { isEncrypted, open, openPlain, openReaction, type Opened } from "../crypto/seal"
import type { OpenedReaction } from "../models/messages/reactions"
import type { Message } from "../api/types"

/** The readable content of one version of a message. */
interface OpenedVersion {
  readonly message: Message
  readonly opened: Opened
  readonly reactions: readonly OpenedReaction[]
}

const NO_REACTIONS: readonly OpenedReaction[] = []

export class MessageReader {
  /** By message ID and change number. A reader of one version does not run when another version is opened. */
  readonly #versions = new SvelteMap<string, OpenedVersion>()
  #listener: (message: Message, opened: Opened) => void = () => undefined

  /** Calls `listener` with each version that has been opened, and with each that will be. */
  listen(listener: (message: Message, opened: Opened) => void): void {
    this.#listener = listener
    for (const { message, opened } of this.#versions.values()) listener(message, opened)
  }

  /** Returns the contents of messages, and keeps none that were not kept before. */
  async readOnce(messages: readonly Message[]): Promise<readonly Opened[]> {
    return await Promise.all(messages.map(async (message) => this.read(message) ?? (await open(message))))
  }

  /** Returns the content of a message; undefined while it is being decrypted. */
  read(message: Message): Opened | undefined {
    return this.#versions.get(version(message))?.opened
  }

  /** Returns the reactions to a message that this device can decrypt. */
  reactionsTo(message: Message): readonly OpenedReaction[] {
    return this.#versions.get(version(message))?.reactions ?? NO_REACTIONS
  }

  async open(messages: readonly Message[]): Promise<void> {
    const closed = messages.filter((message) => !this.#versions.has(version(message)))
    // Readable before this returns, so that a bubble is drawn once, with its text.
    for (const message of closed) if (!isEncrypted(message)) this.#keep(readPlain(message))
    const encrypted = closed.filter(isEncrypted)
    if (encrypted.length === 0) return
    const versions = await Promise.all(encrypted.map(opened))
    // Together, so that the views update once for a page of messages.
    for (const each of versions) this.#keep(each)
  }

  #keep(opened: OpenedVersion): void {
    this.#versions.set(version(opened.message), opened)
    this.#listener(opened.message, opened.opened)
  }
}

function readPlain(message: Message): OpenedVersion {
  const reactions = message.reactions.map(({ user_id, emoji }) => ({ user_id, emoji: emoji ?? undefined }))
  return { message, opened: openPlain(message), reactions: reactions.length > 0 ? reactions : NO_REACTIONS }
}

async function opened(message: Message): Promise<OpenedVersion> {
  const reactions = message.reactions.map(async (each) => ({ user_id: each.user_id, emoji: await openReaction(each) }))
  return { message, opened: await open(message), reactions: await Promise.all(reactions) }
}

function version(message: Message): string {
  return `${message.message_id} ${message.change}`
}
