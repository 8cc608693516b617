/**
 * Brings what goes with a draft to the server, piece by piece, and goes on where it was after whatever came between.
 *
 * How far an upload is, the server says: after a reload, a lost network or another tab that sent a part, it is asked.
 */
import { SvelteMap } from "svelte/reactivity"

import type { BlobStore } from "../device/blobs"
import { uploadRequest, uploadedShare, type PendingAttachment } from "../models/attachments"
import type { OutgoingMessage } from "../models/outbox"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "../session/session"
import type { UploadView } from "../api/types"

const CHUNK_BYTES = 512 * 1024
const BUSY_MS = 1_000

/** Somebody else sends it now, or nobody wants it any more. */
export class UploadCancelled extends Error {}

/** Write down what the server calls an enclosure, so that its upload can go on after a reload. */
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
   * Bring all of a draft's files to the server; gives their ids, to be sent with the message.
   *
   * @throws {ApiError} the server refuses one
   * @throws {Unreachable} it does not answer
   * @throws {UploadCancelled} `mayGoOn` said no
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

  /** Tell the server that something will not be sent; if it does not hear it, it forgets it in a day. */
  async cancel({ enclosures = [] }: OutgoingMessage): Promise<void> {
    try {
      for (const { upload_id } of enclosures) {
        if (upload_id !== undefined) await this.session.request("DELETE", `/attachments/${upload_id}`)
      }
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
    for (const attachment of message.enclosures ?? []) {
      const started = await this.#start(message, attachment)
      if (started.id !== attachment.upload_id) await saveUploadId(message.client_id, attachment.key, started.id)
      await this.#send(attachment, started, progress, mayContinue)
      ids.push(started.id)
    }
    return ids
  }

  async #start({ conversation_id }: OutgoingMessage, attachment: PendingAttachment): Promise<UploadView> {
    try {
      if (attachment.upload_id !== undefined) return await this.#fetchState(attachment.upload_id)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      // The server has forgotten it: begin again.
    }
    const path = `/conversations/${conversation_id}/attachments`
    return await this.session.request<UploadView>("POST", path, uploadRequest(attachment))
  }

  async #send(
    attachment: PendingAttachment,
    started: UploadView,
    progress: UploadProgress,
    mayContinue: () => Promise<boolean>,
  ): Promise<void> {
    const blob = await this.blobs.get(attachment.key)
    for (let at = started; !at.finished;) {
      progress.setSent(attachment.key, at.offset)
      if (blob === undefined) throw new ApiError(0, "file_gone", undefined)
      if (!(await mayContinue())) throw new UploadCancelled()
      at = await this.#sendChunk(at, blob)
    }
    progress.setSent(attachment.key, attachment.size)
  }

  async #sendChunk({ id, offset }: UploadView, blob: Blob): Promise<UploadView> {
    try {
      return await this.session.sendChunk<UploadView>(
        `/attachments/${id}`,
        offset,
        blob.slice(offset, offset + CHUNK_BYTES),
      )
    } catch (error) {
      if (!(error instanceof ApiError) || !["wrong_offset", "upload_busy"].includes(error.code)) throw error
      if (error.code === "upload_busy") await new Promise((resolve) => setTimeout(resolve, BUSY_MS))
      return await this.#fetchState(id)
    }
  }

  #fetchState(id: string): Promise<UploadView> {
    return this.session.request<UploadView>("GET", `/attachments/${id}`)
  }
}
