/**
 * Uploads the attachments of a message in chunks, and resumes interrupted uploads.
 *
 * The server knows the offset of an upload; it is queried after a reload, a network failure, or work of another tab.
 */
import { SvelteMap } from "svelte/reactivity"

import type { BlobStore } from "../device/blobs"
import { isFileRefusal, uploadRequest, uploadedShare, type PendingAttachment } from "../models/messages/attachments"
import type { OutgoingMessage } from "../models/messages/outbox"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "../session/session"
import type { Upload } from "../api/types"

const CHUNK_BYTES = 512 * 1024
const BUSY_MS = 1_000
/** The video is no video, the picture is unreadable, or the server is an earlier version. */
const REFUSES_POSTER: ReadonlySet<number> = new Set([404, 405, 413, 422])

/** Another tab is sending the message, or the user discarded it. */
export class UploadCancelled extends Error {}

/** Some files of the message cannot be sent; the others have been uploaded. */
export class FilesRefused extends Error {
  /** @param reasons the error code of each of these files, by its key */
  constructor(readonly reasons: ReadonlyMap<string, string>) {
    super([...reasons.values()].join(" "))
  }
}

/** Stores the server's id of an upload, so that it can be resumed after a reload. */
export type SaveUploadId = (clientId: string, key: string, uploadId: string) => Promise<void>

class UploadProgress {
  active = $state(false)
  /** The bytes that the server has of each file of one message, by file key. */
  sent = $state.raw<Readonly<Record<string, number>>>({})

  setSent(key: string, bytes: number): void {
    this.sent = { ...this.sent, [key]: bytes }
  }
}

export class Uploads {
  /** By `client_id`. Kept between attempts, so that a resumed upload does not start again at 0. */
  readonly #progress = new SvelteMap<string, UploadProgress>()
  readonly #inFlight = new Map<string, Promise<readonly string[]>>()
  #connection = new AbortController()

  constructor(
    private readonly session: Session,
    private readonly blobs: BlobStore,
  ) {}

  /**
   * Return how much of a message's files the server has, from 0 to 1; undefined while no upload is in progress.
   * Reactive: the progress of one message does not run what reads the progress of another.
   */
  progress({ client_id, enclosures = [] }: OutgoingMessage): number | undefined {
    const progress = this.#progress.get(client_id)
    return progress?.active ? uploadedShare(enclosures, (key) => progress.sent[key] ?? 0) : undefined
  }

  /**
   * Uploads all files of a message and returns their ids.
   *
   * @throws {FilesRefused} the server rejected files, or this device cannot read them
   * @throws {ApiError} the server rejected the uploads for another reason
   * @throws {Unreachable} no response
   * @throws {UploadCancelled} `mayGoOn` returned false
   */
  upload(
    message: OutgoingMessage,
    saveUploadId: SaveUploadId,
    mayContinue: () => Promise<boolean>,
  ): Promise<readonly string[]> {
    const before = this.#inFlight.get(message.client_id)
    if (before) return before
    const progress = this.#progress.get(message.client_id) ?? new UploadProgress()
    progress.active = true
    const uploading = this.#all(message, progress, saveUploadId, mayContinue).finally(() => {
      this.#inFlight.delete(message.client_id)
      progress.active = false
    })
    this.#progress.set(message.client_id, progress)
    this.#inFlight.set(message.client_id, uploading)
    return uploading
  }

  /** Ends the requests that are being sent over a dead connection. Uploads resume with the next attempt. */
  interrupt(): void {
    this.#connection.abort()
    this.#connection = new AbortController()
  }

  /** Cancels the uploads of a message on the server. */
  async cancel({ enclosures = [] }: OutgoingMessage): Promise<void> {
    for (const { upload_id } of enclosures) if (upload_id !== undefined) await this.#delete(upload_id)
  }

  /** Deletes an upload on the server. If that fails, the server deletes it after a day. */
  async #delete(uploadId: string): Promise<void> {
    try {
      await this.session.request("DELETE", `/attachments/${uploadId}`)
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
    }
  }

  async #all(
    message: OutgoingMessage,
    progress: UploadProgress,
    saveUploadId: SaveUploadId,
    mayContinue: () => Promise<boolean>,
  ): Promise<readonly string[]> {
    const ids: string[] = []
    const refused = new Map<string, string>()
    for (const attachment of message.enclosures ?? []) {
      try {
        ids.push(await this.#one(message, attachment, progress, saveUploadId, mayContinue))
      } catch (error) {
        if (!(error instanceof ApiError && isFileRefusal(error.code))) throw error
        refused.set(attachment.key, error.code)
      }
    }
    if (refused.size > 0) throw new FilesRefused(refused)
    return ids
  }

  async #one(
    message: OutgoingMessage,
    attachment: PendingAttachment,
    progress: UploadProgress,
    saveUploadId: SaveUploadId,
    mayContinue: () => Promise<boolean>,
  ): Promise<string> {
    const started = await this.#start(message, attachment)
    if (started.id !== attachment.upload_id) await saveUploadId(message.client_id, attachment.key, started.id)
    try {
      await this.#send(attachment, started, progress, mayContinue)
      if (attachment.poster !== undefined) await this.#sendPoster(started.id, attachment.poster)
    } catch (error) {
      if (error instanceof ApiError && isFileRefusal(error.code)) await this.#delete(started.id)
      throw error
    }
    return started.id
  }

  async #start({ client_id, conversation_id }: OutgoingMessage, attachment: PendingAttachment): Promise<Upload> {
    try {
      if (attachment.upload_id !== undefined) return await this.#fetchState(attachment.upload_id)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      // The server has deleted it: start again.
    }
    const path = `/conversations/${conversation_id}/attachments`
    // The same after a reload, so that a lost response does not reserve room twice. The unchanged original of a refused
    // picture is another upload.
    const key = [client_id, attachment.key, ...(attachment.keep_metadata ? ["original"] : [])].join(".")
    return await this.session.request<Upload>("POST", path, uploadRequest(attachment), key)
  }

  async #send(
    attachment: PendingAttachment,
    started: Upload,
    progress: UploadProgress,
    mayContinue: () => Promise<boolean>,
  ): Promise<void> {
    const blob = await this.blobs.get(attachment.key)
    for (let at = started; !at.finished;) {
      progress.setSent(attachment.key, at.offset)
      if (blob === undefined) throw new ApiError(0, "file_gone")
      if (blob.size !== attachment.size) throw new ApiError(0, "file_changed")
      if (!(await mayContinue())) throw new UploadCancelled()
      at = await this.#sendChunk(at, blob)
    }
    progress.setSent(attachment.key, attachment.size)
  }

  /** Uploads the picture of a video. A server that refuses it shows the video without. */
  async #sendPoster(uploadId: string, key: string): Promise<void> {
    const picture = await this.blobs.get(key)
    if (!picture) return
    try {
      await this.session.putPicture(`/attachments/${uploadId}/poster`, picture)
    } catch (error) {
      const isRefused = error instanceof ApiError && REFUSES_POSTER.has(error.status)
      if (!isRefused) throw error
    }
  }

  async #sendChunk({ id, offset }: Upload, blob: Blob): Promise<Upload> {
    const chunk = await readAll(blob.slice(offset, offset + CHUNK_BYTES))
    try {
      return await this.session.sendChunk<Upload>(`/attachments/${id}`, offset, chunk, this.#connection.signal)
    } catch (error) {
      if (!(error instanceof ApiError) || !["wrong_offset", "upload_busy"].includes(error.code)) throw error
      if (error.code === "upload_busy") await new Promise((resolve) => setTimeout(resolve, BUSY_MS))
      return await this.#fetchState(id)
    }
  }

  #fetchState(id: string): Promise<Upload> {
    return this.session.request<Upload>("GET", `/attachments/${id}`)
  }
}

/**
 * Reads bytes into memory, so that a failure to send them is one of the network and not of the file.
 *
 * @throws {ApiError} the file was changed or deleted after it had been chosen
 */
async function readAll(bytes: Blob): Promise<Blob> {
  try {
    return new Blob([await bytes.arrayBuffer()])
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
    throw new ApiError(0, "file_changed")
  }
}
