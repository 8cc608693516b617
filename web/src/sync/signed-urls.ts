/** Caches the signed URLs of attachments and renews them shortly before they expire. */
import { openFile, type OpenedFile } from "../crypto/seal"
import { ApiError, download } from "../api/http"
import type { Session } from "../session/session"
import type { AttachmentUrls, Attachment } from "../api/types"

const MARGIN_MS = 30_000

export class SignedUrlCache {
  readonly #known = new Map<string, Promise<AttachmentUrls>>()

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

  /** Returns the decrypted bytes of a file; see `open`. */
  async bytes(attachment: Attachment): Promise<Blob> {
    try {
      return await this.#download(attachment)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      this.#known.delete(attachment.id) // expired by the server's clock, although not by this device's
      return await this.#download(attachment)
    }
  }

  async #download(attachment: Attachment): Promise<Blob> {
    const opened = await this.open(attachment)
    if (opened.kind === "locked") throw new ApiError(0, "file_locked", undefined)
    return await download(opened.file)
  }

  async #urlsOf(attachmentId: string): Promise<AttachmentUrls> {
    const known = this.#known.get(attachmentId)
    if (known && Date.parse((await known).expires_at) - Date.now() > MARGIN_MS) return await known
    const pending = this.session.request<AttachmentUrls>("GET", `/attachments/${attachmentId}/address`)
    this.#known.set(attachmentId, pending)
    pending.catch(() => this.#known.delete(attachmentId))
    return await pending
  }
}
