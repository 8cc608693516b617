/** Attachments of the draft: chosen, pasted, dropped or recorded, and stored on this device. */
import { sealFile } from "../crypto/seal"
import type { BlobStore } from "../device/blobs"
import type { Drafts } from "../device/drafts.svelte"
import type { EndedRecording } from "../device/recording-store"
import { blobKeys, type PendingAttachment } from "../models/messages/attachments"
import { ApiError } from "../api/http"

/** Extensions of voice messages, by media type. */
const FILE_EXTENSIONS: Readonly<Record<string, string>> = {
  "audio/mp4": ".m4a",
  "audio/webm": ".webm",
  "audio/ogg": ".ogg",
}
/** One object for all, so that an unchanged draft has unchanged attachments. */
const NONE: readonly PendingAttachment[] = []

/** A file to send, with its metadata. */
export interface NewAttachment extends Pick<PendingAttachment, "kind" | "name" | "duration_ms" | "waveform" | "video"> {
  readonly blob: Blob
  /** A picture of a video. */
  readonly picture?: Blob
}

export class PendingAttachments {
  constructor(
    private readonly drafts: Drafts,
    private readonly blobs: BlobStore,
  ) {}

  /** Returns the pending attachments of a conversation. */
  of(conversationId: string): readonly PendingAttachment[] {
    return this.drafts.get(conversationId)?.enclosures ?? NONE
  }

  /** Returns the blob keys of all pending attachments. */
  get keys(): readonly string[] {
    return this.drafts.ids.flatMap((id) => blobKeys(this.of(id)))
  }

  /**
   * Adds files in a conversation called `name`. Those that one message cannot hold are sent in further messages.
   *
   * @returns the names of the files that are not added, because they are empty or cannot be read, such as folders
   */
  async add(conversationId: string, chosen: readonly NewAttachment[], name: string): Promise<readonly string[]> {
    const readable = await Promise.all(chosen.map(({ blob }) => hasContent(blob)))
    const usable = chosen.filter((_, index) => readable[index])
    const more = await Promise.all(usable.map((each) => this.prepare(each)))
    await this.drafts.setAttachments(conversationId, [...this.of(conversationId), ...more], name)
    return chosen.filter((_, index) => !readable[index]).map((each) => each.name)
  }

  /** Adds a voice message. Resolves once it is on disk. */
  async addRecording({ conversation_id: id, name, label, ...note }: EndedRecording): Promise<void> {
    const file = { kind: "voice" as const, name: `${label}${FILE_EXTENSIONS[note.blob.type] ?? ""}`, ...note }
    await this.add(id, [file], name)
    await this.blobs.stored(blobKeys(this.of(id)))
  }

  /** Removes a file. */
  async remove(conversationId: string, key: string): Promise<void> {
    await this.#keepOnly(conversationId, (each) => each.key !== key)
  }

  /** Removes all files. */
  async clear(conversationId: string): Promise<void> {
    await this.#keepOnly(conversationId, () => false)
  }

  /**
   * Returns the bytes of a pending attachment.
   *
   * @throws {ApiError} this device has lost them
   */
  async bytes({ key }: PendingAttachment): Promise<Blob> {
    const blob = await this.blobs.get(key)
    if (blob === undefined) throw new ApiError(0, "file_gone")
    return blob
  }

  /** Removes attachments without bytes: the device was turned off before they were stored, or another tab has sent them. */
  async check(): Promise<void> {
    for (const id of this.drafts.ids) {
      const found = await Promise.all(this.of(id).map(({ key }) => this.blobs.get(key)))
      const there = new Set(this.of(id).filter((_, index) => found[index] !== undefined))
      if (there.size < found.length) await this.#keepOnly(id, (each) => there.has(each))
    }
  }

  /** Stores a file on this device, for a message that is written now. */
  async prepare({ blob, picture, ...known }: NewAttachment): Promise<PendingAttachment> {
    const sealed = await sealFile(blob)
    const { encrypted, blob: bytes } = sealed
    const poster = picture && { poster: this.blobs.put(picture) }
    return { ...known, ...poster, key: this.blobs.put(bytes), size: bytes.size, encrypted, keep_metadata: false }
  }

  async #keepOnly(conversationId: string, stays: (enclosure: PendingAttachment) => boolean): Promise<void> {
    const all = this.of(conversationId)
    const name = this.drafts.get(conversationId)?.name ?? ""
    await this.drafts.setAttachments(conversationId, all.filter(stays), name)
    await this.blobs.remove(blobKeys(all.filter((each) => !stays(each))))
  }
}

async function hasContent(blob: Blob): Promise<boolean> {
  try {
    return (await blob.slice(0, 1).arrayBuffer()).byteLength > 0
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
    return false
  }
}
