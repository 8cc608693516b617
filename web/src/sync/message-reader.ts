/** Decrypts each body and reaction once and caches the result. */
import { SvelteMap } from "svelte/reactivity"

import { isEncrypted, open, openPlain, openReaction, type Opened } from "../crypto/seal"
import type { OpenedReaction } from "../models/messages/reactions"
import type { Message } from "../api/types"

/** The readable content of one version of a message. */
interface OpenedVersion {
  readonly opened: Opened
  readonly reactions: readonly OpenedReaction[]
}

const NO_REACTIONS: readonly OpenedReaction[] = []

export class MessageReader {
  /** By message ID and change number. A reader of one version does not run when another version is opened. */
  readonly #versions = new SvelteMap<string, OpenedVersion>()

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
    for (const message of closed) if (!isEncrypted(message)) this.#versions.set(version(message), readPlain(message))
    const encrypted = closed.filter(isEncrypted)
    if (encrypted.length === 0) return
    const versions = await Promise.all(
      encrypted.map(async (message) => [version(message), await opened(message)] as const),
    )
    // Together, so that the views update once for a page of messages.
    for (const [key, version] of versions) this.#versions.set(key, version)
  }
}

function readPlain(message: Message): OpenedVersion {
  const reactions = message.reactions.map(({ user_id, emoji }) => ({ user_id, emoji: emoji ?? undefined }))
  return { opened: openPlain(message), reactions: reactions.length > 0 ? reactions : NO_REACTIONS }
}

async function opened(message: Message): Promise<OpenedVersion> {
  const reactions = message.reactions.map(async (each) => ({ user_id: each.user_id, emoji: await openReaction(each) }))
  return { opened: await open(message), reactions: await Promise.all(reactions) }
}

function version(message: Message): string {
  return `${message.message_id} ${message.change}`
}
