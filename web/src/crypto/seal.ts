/**
 * The one seam that every body passes: sealed before the outbox gives it away, opened before a timeline shows it.
 *
 * This version carries bodies as they are. End-to-end encryption moves in here, in a worker, without touching models
 * or views: both functions are asynchronous for that reason.
 */
import type { Message } from "../realtime/shapes"

/** What goes to the server. */
export interface Sealed {
  readonly body: string
  readonly encryption_flag?: boolean
  readonly encryption_version?: string
  readonly key_id?: string
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
  if (message.deleted_at !== null) return { kind: "deleted" }
  if (message.body === null) return { kind: "broken" }
  return message.encryption_flag ? { kind: "locked" } : { kind: "text", text: message.body }
}
