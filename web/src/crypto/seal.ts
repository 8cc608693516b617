/**
 * What is sent and shown where no keys are needed: texts, files and reactions that are not encrypted end to end. Texts that
 * are go through `sync/encryption`.
 */
import { wellFormed } from "../api/json"
import type { AttachmentUrls, Attachment, Message, Reaction } from "../api/types"
import { readForwarded } from "./forwarded"

interface Envelope {
  readonly encryption_flag?: boolean
  readonly encryption_version?: string
  readonly key_id?: string
  readonly protocol?: string
  readonly epoch?: number
  readonly sender_device_id?: string
}

/** A body as sent to the server. */
export interface Sealed extends Envelope {
  readonly body: string
}

/** A reaction as sent to the server. */
export interface SealedReaction extends Envelope {
  readonly emoji: string
}

/**
 * The decrypted text, or the reason why there is none:
 * - `locked`: this device cannot decrypt it
 * - `before`: it was sent before this device was added to the conversation
 * - `newer`: a newer version of Famichat can read it
 * - `broken`: the server cannot read it any more
 */
export type Opened =
  | { readonly kind: "text"; readonly text: string; readonly reply_to?: string; readonly forwarded?: true }
  | { readonly kind: "deleted" | "locked" | "before" | "newer" | "broken" }

/** Prepares a text, which is made well-formed before: a ciphertext could not be repaired. */
export async function seal(text: string): Promise<Sealed> {
  return { body: wellFormed(text) }
}

/** A file as sent to the server. Also created once per message. */
export interface SealedFile {
  readonly blob: Blob
  readonly encrypted: boolean
}

export async function sealFile(file: Blob): Promise<SealedFile> {
  return { blob: file, encrypted: false }
}

/** URLs of a file and its thumbnail, or that this device cannot decrypt it. */
export type OpenedFile =
  { readonly kind: "open"; readonly file: string; readonly thumbnail: string | null } | { readonly kind: "locked" }

/** Whether this device can open a file. */
export function opens({ encrypted }: Attachment): boolean {
  return !encrypted
}

/** Opens a file. Requests its URLs only if this device can decrypt it. */
export async function openFile(attachment: Attachment, address: () => Promise<AttachmentUrls>): Promise<OpenedFile> {
  if (!opens(attachment)) return { kind: "locked" }
  const { file, thumbnail } = await address()
  return { kind: "open", file, thumbnail }
}

/** Whether decrypting takes keys, and time. */
export function isEncrypted({ encryption_flag, reactions }: Message): boolean {
  return encryption_flag || reactions.some((reaction) => reaction.encryption_flag)
}

/** Reads a text that is not encrypted. */
export function openPlain({ body }: Pick<Message, "body">): Opened {
  return body === null ? { kind: "broken" } : { kind: "text", ...readForwarded(body) }
}

export async function sealReaction(emoji: string): Promise<SealedReaction> {
  return { emoji: wellFormed(emoji) }
}

/** Decrypts the emoji of a reaction; undefined if this device cannot. */
export async function openReaction(reaction: Reaction): Promise<string | undefined> {
  return reaction.encryption_flag ? undefined : (reaction.emoji ?? undefined)
}
