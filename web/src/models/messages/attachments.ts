/** Photos, files and voice notes: pending ones on this device, and those of received messages. */
import type { Attachment, Message, VideoRequest } from "../../api/types"

/** Maximum number of files per message, as on the server. */
export const MAX_FILES = 10

export type AttachmentKind = "image" | "file" | "voice"

/** An attachment and the message that it belongs to. */
export interface SharedAttachment {
  readonly message: Message
  readonly attachment: Attachment
}

/** A file attached to an unsent message. Its bytes are stored beside the outbox, under `key`. */
export interface PendingAttachment {
  readonly key: string
  readonly kind: AttachmentKind
  readonly name: string
  readonly size: number
  readonly encrypted: boolean
  /** Sends a photo unchanged, including its location and time. */
  readonly keep_metadata: boolean
  readonly duration_ms?: number
  readonly waveform?: readonly number[]
  /** Of a video that this browser can play. */
  readonly video?: VideoRequest
  /** The key of the picture of a video, stored like its bytes. */
  readonly poster?: string
  /** The server's id, once the upload has started. */
  readonly upload_id?: string
  /** Why it cannot be sent; the user decides what to do. */
  readonly refused?: string
}

/** Refusals of one file. The message can be sent without it. */
const FILE_REFUSALS = new Set([
  ...["file_too_large", "quota_exceeded", "too_many_uploads", "server_full", "checksum_mismatch"],
  ...["picture_too_large", "picture_unreadable", "file_gone", "file_changed", "invalid_request"],
])
/** Refusals of a processed photo, which can still be sent unchanged. */
const PICTURE_REFUSALS = new Set(["picture_too_large", "picture_unreadable"])

/** Whether a refusal concerns one file, rather than the whole message. */
export function isFileRefusal(reason: string): boolean {
  return FILE_REFUSALS.has(reason)
}

/** Whether a refused photo can be sent unchanged. */
export function canSendOriginal({ kind, keep_metadata, refused = "" }: PendingAttachment): boolean {
  return kind === "image" && !keep_metadata && PICTURE_REFUSALS.has(refused)
}

/** Returns a pending attachment as it was before its upload and any refusal. */
export function withoutUpload({ upload_id: _, refused: __, ...attachment }: PendingAttachment): PendingAttachment {
  return attachment
}

/** Parameters of the upload request. */
export function uploadRequest(attachment: PendingAttachment): object {
  const { size, name, encrypted, keep_metadata, duration_ms, waveform, video } = attachment
  if (encrypted) return { size, encrypted }
  return {
    size,
    name,
    keep_metadata,
    ...(duration_ms !== undefined && { duration_ms, waveform }),
    ...(video && { video }),
  }
}

/** Returns the keys of all stored bytes of pending attachments. */
export function blobKeys(attachments: readonly PendingAttachment[] = []): readonly string[] {
  return attachments.flatMap(({ key, poster }) => (poster === undefined ? [key] : [key, poster]))
}

/** Returns the message type for these attachments. */
export function messageTypeOf(kinds: readonly AttachmentKind[]): AttachmentKind {
  const [first, ...others] = new Set(kinds)
  return first !== undefined && others.length === 0 ? first : "file"
}

/** How a received file is displayed, decided by its verified type and not by the message. */
export function attachmentKind({ thumbnail, duration_ms, content_type }: Attachment): AttachmentKind | "video" {
  if (thumbnail) return "image"
  if (duration_ms !== null && /^(audio|video)\//.test(content_type)) return "voice"
  return content_type.startsWith("video/") ? "video" : "file"
}

/** Whether it is shown as a picture: a photo, or a video that its sender measured. */
export function isPicture(attachment: Attachment): boolean {
  const kind = attachmentKind(attachment)
  return kind === "image" || (kind === "video" && attachment.video !== undefined)
}

/** Whether it will be shown as a picture. */
export function isPendingPicture({ kind, encrypted, poster }: PendingAttachment): boolean {
  return !encrypted && (kind === "image" || poster !== undefined)
}

/** Returns the width and height of a photo or video; undefined if they are not known. */
export function shapeOf({ width, height, video }: Attachment): Pick<VideoRequest, "width" | "height"> | undefined {
  return video ?? (width && height ? { width, height } : undefined)
}

/**
 * Attachments of a message; missing in data stored by an older version. What is not encrypted is not part of an encrypted
 * message: the server has added it.
 */
export function attachmentsOf(message: Message): readonly Attachment[] {
  const attachments = (message as Partial<Message>).attachments ?? []
  return message.encryption_flag ? attachments.filter(({ encrypted }) => encrypted) : attachments
}

/** Returns the attachments of these kinds, in the order of the messages and of each message. */
export function sharedIn(
  messages: readonly Message[],
  kinds: readonly ReturnType<typeof attachmentKind>[],
): readonly SharedAttachment[] {
  return messages
    .filter(({ deleted_at }) => deleted_at === null)
    .flatMap((message) =>
      attachmentsOf(message)
        .filter((attachment) => kinds.includes(attachmentKind(attachment)))
        .map((attachment) => ({ message, attachment })),
    )
}

/** Formats a file size: `1.4 MB`. */
export function formatSize(language: string, bytes: number): string {
  const [unit, size] =
    bytes < 1_000_000 ? (["kilobyte", bytes / 1_000] as const) : (["megabyte", bytes / 1_000_000] as const)
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: size < 10 ? 1 : 0 }).format(
    Math.max(size, 0.1),
  )
}

/** Display size of a picture, to reserve its space: its own size, scaled so that no side exceeds `most`. */
export function fitWithin(
  width: number,
  height: number,
  maxSide: number,
): { readonly width: number; readonly height: number } {
  const scale = Math.min(1, maxSide / Math.max(width, height))
  return { width: Math.round(width * scale), height: Math.round(height * scale) }
}

/** Upload progress of a message's files, from 0 to 1. */
export function uploadedShare(attachments: readonly PendingAttachment[], sent: (key: string) => number): number {
  const total = attachments.reduce((sum, { size }) => sum + size, 0)
  return total === 0 ? 0 : attachments.reduce((sum, { key, size }) => sum + Math.min(sent(key), size), 0) / total
}
