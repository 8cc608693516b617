/**
 * Encrypts every body and file before it leaves the outbox, and decrypts it before a timeline shows it.
 *
 * This version passes them through unchanged. End-to-end encryption will be added here, in a worker, without changes to
 * models or views; that is why these functions are asynchronous.
 */
import { wellFormed } from "../api/json"
import type { AttachmentUrls, Attachment, Message, Reaction } from "../api/types"

interface Envelope {
  readonly encryption_flag?: boolean
  readonly encryption_version?: string
  readonly key_id?: string
}

/** A body as sent to the server. */
export interface Sealed extends Envelope {
  readonly body: string
}

/** A reaction as sent to the server. */
export interface SealedReaction extends Envelope {
  readonly emoji: string
}

/** The decrypted text, or the reason why there is none. */
export type Opened =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "deleted" }
  | { readonly kind: "locked" }
  | { readonly kind: "broken" }

/** Seals a text, which is made well-formed before: a ciphertext could not be repaired. */
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

export async function open(message: Message): Promise<Opened> {
  return message.deleted_at === null ? await openText(message) : { kind: "deleted" }
}

/** Reads a message that is not encrypted. */
export function openPlain(message: Message): Opened {
  if (message.deleted_at !== null) return { kind: "deleted" }
  return message.body === null ? { kind: "broken" } : { kind: "text", text: message.body }
}

/** Decrypts the body of a message or of a former version. */
export async function openText(
  sealed: Pick<Message, "body" | "encryption_flag" | "encryption_version" | "key_id">,
): Promise<Opened> {
  if (sealed.body === null) return { kind: "broken" }
  return sealed.encryption_flag ? { kind: "locked" } : { kind: "text", text: sealed.body }
}

export async function sealReaction(emoji: string): Promise<SealedReaction> {
  return { emoji: wellFormed(emoji) }
}

/** Decrypts the emoji of a reaction; undefined if this device cannot. */
export async function openReaction(reaction: Reaction): Promise<string | undefined> {
  return reaction.encryption_flag ? undefined : (reaction.emoji ?? undefined)
}
