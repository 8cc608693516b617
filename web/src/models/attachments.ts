/** Photos, files and voice notes: those that wait on this device to be sent, and those that messages came with. */
import type { Attachment, Message } from "../api/types"

export type AttachmentKind = "image" | "file" | "voice"

/** A file that goes with a draft. Its bytes are kept beside the outbox, under `key`. */
export interface PendingAttachment {
  readonly key: string
  readonly kind: AttachmentKind
  readonly name: string
  readonly size: number
  readonly encrypted: boolean
  /** A photo is sent as it is, with where and when it was taken. */
  readonly keep_metadata: boolean
  readonly duration_ms?: number
  readonly waveform?: readonly number[]
  /** What the server calls it, once its upload has begun. */
  readonly upload_id?: string
}

/** What the server is told before the bytes come. */
export function uploadRequest(attachment: PendingAttachment): object {
  const { size, name, encrypted, keep_metadata, duration_ms, waveform } = attachment
  if (encrypted) return { size, encrypted }
  return { size, name, keep_metadata, ...(duration_ms !== undefined && { duration_ms, waveform }) }
}

/** What kind of message it is that carries these. */
export function messageTypeOf(kinds: readonly AttachmentKind[]): AttachmentKind {
  const [first, ...others] = new Set(kinds)
  return first !== undefined && others.length === 0 ? first : "file"
}

/** What is shown of a file from somebody else: by what it is, not by what its message says. */
export function attachmentKind({ thumbnail, duration_ms, content_type }: Attachment): AttachmentKind {
  if (thumbnail) return "image"
  return duration_ms !== null && /^(audio|video)\//.test(content_type) ? "voice" : "file"
}

/** What came with a message. One that was kept on this device long ago may not say. */
export function attachmentsOf(message: Message): readonly Attachment[] {
  return (message as Partial<Message>).attachments ?? []
}

/** How large a file is, as people say it: `1.4 MB`. */
export function formatSize(language: string, bytes: number): string {
  const [unit, size] =
    bytes < 1_000_000 ? (["kilobyte", bytes / 1_000] as const) : (["megabyte", bytes / 1_000_000] as const)
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: size < 10 ? 1 : 0 }).format(
    Math.max(size, 0.1),
  )
}

/** How large a picture is shown, so that its place can be kept free: as it is, but no side longer than `most`. */
export function fitWithin(
  width: number,
  height: number,
  maxSide: number,
): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, maxSide / Math.max(width, height))
  return { width: Math.round(width * scale), height: Math.round(height * scale) }
}

/** How far a draft's files are on their way, from 0 to 1. */
export function uploadedShare(attachments: readonly PendingAttachment[], sent: (key: string) => number): number {
  const total = attachments.reduce((sum, { size }) => sum + size, 0)
  return total === 0 ? 0 : attachments.reduce((sum, { key, size }) => sum + Math.min(sent(key), size), 0) / total
}
