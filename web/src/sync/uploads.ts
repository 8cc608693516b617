/**
 * Brings what goes with a draft to the server, piece by piece, and goes on where it was after whatever came between.
 *
 * How far an upload is, the server says: after a reload, a lost network or another tab that sent a part, it is asked.
 */
import type { Blobs } from "../device/blobs"
import { announcement, share, type Enclosure } from "../models/attachments"
import type { Draft } from "../models/outbox"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "../session/session"
import type { UploadView } from "../api/types"

const PIECE_BYTES = 512 * 1024
const BUSY_MS = 1_000

/** Somebody else sends it now, or nobody wants it any more. */
export class Stopped extends Error {}

/** Write down what the server calls an enclosure, so that its upload can go on after a reload. */
export type Label = (clientId: string, key: string, uploadId: string) => Promise<void>

export class Uploads {
  readonly #sent = new Map<string, number>()
  readonly #underWay = new Map<string, Promise<readonly string[]>>()

  constructor(
    private readonly session: Session,
    private readonly blobs: Blobs,
    private readonly changed: () => void,
  ) {}

  /** How far a draft is, from 0 to 1; nothing, while it is not on its way. */
  progress({ client_id, enclosures = [] }: Draft): number | undefined {
    return this.#underWay.has(client_id) ? share(enclosures, (key) => this.#sent.get(key) ?? 0) : undefined
  }

  /**
   * Bring all of a draft's files to the server; gives their ids, to be sent with the message.
   *
   * @throws {ApiError} the server refuses one
   * @throws {Unreachable} it does not answer
   * @throws {Stopped} `mayGoOn` said no
   */
  bring(draft: Draft, label: Label, mayGoOn: () => Promise<boolean>): Promise<readonly string[]> {
    const before = this.#underWay.get(draft.client_id)
    if (before) return before
    const bringing = this.#all(draft, label, mayGoOn).finally(() => {
      this.#underWay.delete(draft.client_id)
      this.changed()
    })
    this.#underWay.set(draft.client_id, bringing)
    return bringing
  }

  /** Tell the server that something will not be sent; if it does not hear it, it forgets it in a day. */
  async cancel({ enclosures = [] }: Draft): Promise<void> {
    try {
      for (const { upload_id } of enclosures) {
        if (upload_id !== undefined) await this.session.ask("DELETE", `/attachments/${upload_id}`)
      }
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
    }
  }

  async #all(draft: Draft, label: Label, mayGoOn: () => Promise<boolean>): Promise<readonly string[]> {
    const ids: string[] = []
    for (const enclosure of draft.enclosures ?? []) {
      const begun = await this.#begin(draft, enclosure)
      if (begun.id !== enclosure.upload_id) await label(draft.client_id, enclosure.key, begun.id)
      await this.#send(enclosure, begun, mayGoOn)
      ids.push(begun.id)
    }
    return ids
  }

  async #begin({ conversation_id }: Draft, enclosure: Enclosure): Promise<UploadView> {
    try {
      if (enclosure.upload_id !== undefined) return await this.#ask(enclosure.upload_id)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      // The server has forgotten it: begin again.
    }
    const path = `/conversations/${conversation_id}/attachments`
    return await this.session.ask<UploadView>("POST", path, announcement(enclosure))
  }

  async #send(enclosure: Enclosure, begun: UploadView, mayGoOn: () => Promise<boolean>): Promise<void> {
    const blob = await this.blobs.get(enclosure.key)
    for (let at = begun; !at.finished;) {
      this.#note(enclosure.key, at.offset)
      if (blob === undefined) throw new ApiError(0, "file_gone", undefined)
      if (!(await mayGoOn())) throw new Stopped()
      at = await this.#piece(at, blob)
    }
    this.#note(enclosure.key, enclosure.size)
  }

  async #piece({ id, offset }: UploadView, blob: Blob): Promise<UploadView> {
    try {
      return await this.session.piece<UploadView>(
        `/attachments/${id}`,
        offset,
        blob.slice(offset, offset + PIECE_BYTES),
      )
    } catch (error) {
      if (!(error instanceof ApiError) || !["wrong_offset", "upload_busy"].includes(error.code)) throw error
      if (error.code === "upload_busy") await new Promise((resolve) => setTimeout(resolve, BUSY_MS))
      return await this.#ask(id)
    }
  }

  #ask(id: string): Promise<UploadView> {
    return this.session.ask<UploadView>("GET", `/attachments/${id}`)
  }

  #note(key: string, sent: number): void {
    this.#sent.set(key, sent)
    this.changed()
  }
}
