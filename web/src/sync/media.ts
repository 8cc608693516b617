/** Loads photos and voice messages: from this device if they were viewed before, or else from the server. */
import { ApiError, Unreachable } from "../api/http"
import type { Attachment, Message } from "../api/types"
import type { MediaStore } from "../device/media-store"
import type { MediaPart, SignedUrlCache } from "./signed-urls"

export class Media {
  readonly #loading = new Map<string, Promise<Blob>>()

  constructor(
    private readonly urls: SignedUrlCache,
    private readonly store: MediaStore,
  ) {}

  /**
   * Returns the decrypted bytes of an attachment or its thumbnail.
   *
   * @throws {ApiError} the user may no longer see it, or this device cannot decrypt it
   * @throws {Unreachable} it was not viewed before, and there is no response
   */
  async load(message: Message, attachment: Attachment, part: MediaPart): Promise<Blob> {
    const key = `${attachment.id}.${part}`
    const loading = this.#loading.get(key) ?? this.#load(key, message, attachment, part)
    this.#loading.set(key, loading)
    try {
      return await loading
    } finally {
      this.#loading.delete(key)
    }
  }

  /** Returns the bytes like `load`, or undefined if they are neither on this device nor available. */
  async find(message: Message, attachment: Attachment, part: MediaPart): Promise<Blob | undefined> {
    try {
      return await this.load(message, attachment, part)
    } catch (error) {
      if (error instanceof ApiError || error instanceof Unreachable) return undefined
      throw error
    }
  }

  /** The size of what this device has stored. */
  async storedBytes(): Promise<number> {
    return await this.store.size()
  }

  /** Deletes what this device has stored. It is loaded again when it is viewed. */
  async deleteStored(): Promise<void> {
    await this.store.empty()
  }

  async #load(key: string, message: Message, attachment: Attachment, part: MediaPart): Promise<Blob> {
    const stored = await this.store.get(key)
    if (stored) return stored
    const blob = await this.urls.bytes(attachment, part)
    await this.store.put(key, blob, { messageId: message.message_id, conversationId: message.conversation_id })
    return blob
  }
}
