/** Caches the signed URLs of attachments and renews them shortly before they expire. */
import { openFile, type OpenedFile } from "../crypto/seal"
import { ApiError, download } from "../api/http"
import type { Session } from "../session/session"
import type { AttachmentUrls, Attachment } from "../api/types"

const MARGIN_MS = 30_000

export type MediaPart = "file" | "thumbnail"

export class SignedUrlCache {
  readonly #known = new Map<string, { readonly urls: Promise<AttachmentUrls>; readonly requestedAt: number }>()

  constructor(private readonly session: Session) {}

  /**
   * Opens a file for display or download.
   *
   * @throws {ApiError} the user may no longer see it
   * @throws {Unreachable} no response
   */
  async open(attachment: Attachment): Promise<OpenedFile> {
    return await openFile(attachment, () => this.#urlsOf(attachment.id))
  }

  /** Returns the decrypted bytes of a file or of its thumbnail; see `open`. */
  async bytes(attachment: Attachment, part: MediaPart): Promise<Blob> {
    try {
      return await this.#download(attachment, part)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      this.#known.delete(attachment.id) // the server restarted with another secret, or this device slept
      return await this.#download(attachment, part)
    }
  }

  async #download(attachment: Attachment, part: MediaPart): Promise<Blob> {
    const opened = await this.open(attachment)
    if (opened.kind === "locked") throw new ApiError(0, "file_locked")
    return await download((part === "thumbnail" && opened.thumbnail) || opened.file)
  }

  /** Lifetimes are measured on this device, whose clock may be wrong but not by how much time passes. */
  async #urlsOf(attachmentId: string): Promise<AttachmentUrls> {
    const known = this.#known.get(attachmentId)
    if (known) {
      const age = Date.now() - known.requestedAt
      const { expires_in } = await known.urls
      if (age >= 0 && age < expires_in * 1_000 - MARGIN_MS) return await known.urls
    }
    const urls = this.session.request<AttachmentUrls>("GET", `/attachments/${attachmentId}/address`)
    this.#known.set(attachmentId, { urls, requestedAt: Date.now() })
    urls.catch(() => this.#known.delete(attachmentId))
    return await urls
  }
}
