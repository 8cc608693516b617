/**
 * The one seam that every body and every file passes: sealed before the outbox gives it away, opened before a timeline
 * shows it.
 *
 * This version carries them as they are. End-to-end encryption moves in here, in a worker, without touching models
 * or views: these functions are asynchronous for that reason.
 */
import type { AttachmentUrls, Attachment, Message, Reaction } from "../api/types"

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
export interface SealedReaction extends Envelope {
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

/** Where a page can load a file from, and the small picture of it; or that this device cannot open it. */
export type OpenedFile =
  { readonly kind: "open"; readonly file: string; readonly thumbnail: string | null } | { readonly kind: "locked" }

/** Whether there is a point in offering to open a file. */
export function opens({ encrypted }: Attachment): boolean {
  return !encrypted
}

/** Open a file. Where its bytes are is asked only if this device can do something with them. */
export async function openFile(attachment: Attachment, address: () => Promise<AttachmentUrls>): Promise<OpenedFile> {
  if (!opens(attachment)) return { kind: "locked" }
  const { file, thumbnail } = await address()
  return { kind: "open", file, thumbnail }
}

export async function open(message: Message): Promise<Opened> {
  return message.deleted_at === null ? await openText(message) : { kind: "deleted" }
}

/** What a former version of a message says, or any other body. */
export async function openText(
  sealed: Pick<Message, "body" | "encryption_flag" | "encryption_version" | "key_id">,
): Promise<Opened> {
  if (sealed.body === null) return { kind: "broken" }
  return sealed.encryption_flag ? { kind: "locked" } : { kind: "text", text: sealed.body }
}

export async function sealReaction(emoji: string): Promise<SealedReaction> {
  return { emoji }
}

/** The sign of a reaction; nothing, when this device cannot read it. */
export async function openReaction(reaction: Reaction): Promise<string | undefined> {
  return reaction.encryption_flag ? undefined : (reaction.emoji ?? undefined)
}
