/**
 * The one seam that every body passes: sealed before the outbox gives it away, opened before a timeline shows it.
 *
 * This version carries bodies as they are. End-to-end encryption moves in here, in a worker, without touching models
 * or views: both functions are asynchronous for that reason.
 */
import type { Enveloped, Message, Reaction } from "../realtime/shapes"

interface Envelope {
  readonly encryption_flag?: boolean
  readonly encryption_version?: string
  readonly key_id?: string
}

/** What goes to the server. */
export interface Sealed extends Envelope {
  readonly body: string
}

/** What goes to the server of a reaction. */
export interface SealedSign extends Envelope {
  readonly emoji: string
}

/** What a person can read, or why not. */
export type Opened =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "deleted" }
  | { readonly kind: "locked" }
  | { readonly kind: "broken" }

export async function seal(text: string): Promise<Sealed> {
  return { body: text }
}

/** A file as it goes to the server. Made once, too. */
export interface SealedFile {
  readonly blob: Blob
  readonly encrypted: boolean
}

export async function sealFile(file: Blob): Promise<SealedFile> {
  return { blob: file, encrypted: false }
}

export async function open(message: Message): Promise<Opened> {
  return message.deleted_at === null ? await openText(message) : { kind: "deleted" }
}

/** What a former version of a message says, or any other body. */
export async function openText(sealed: Enveloped & { readonly body: string | null }): Promise<Opened> {
  if (sealed.body === null) return { kind: "broken" }
  return sealed.encryption_flag ? { kind: "locked" } : { kind: "text", text: sealed.body }
}

export async function sealSign(emoji: string): Promise<SealedSign> {
  return { emoji }
}

/** The sign of a reaction; nothing, when this device cannot read it. */
export async function openSign(reaction: Reaction): Promise<string | undefined> {
  return reaction.encryption_flag ? undefined : (reaction.emoji ?? undefined)
}
