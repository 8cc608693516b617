/** What will go with the message that is being written: chosen, pasted, dropped or recorded, and kept on this device. */
import { sealFile } from "../crypto/seal"
import type { Blobs } from "../device/blobs"
import type { Desk } from "../device/drafts"
import type { Enclosure } from "../models/attachments"
import { ApiError } from "../api/http"

/** As many files go with one message. */
const MOST = 10

/** A file that is to be sent, and what is known of it. */
export interface Chosen extends Pick<Enclosure, "kind" | "name" | "duration_ms" | "waveform"> {
  readonly blob: Blob
}

export class Tray {
  constructor(
    private readonly desk: Desk,
    private readonly blobs: Blobs,
  ) {}

  /** What lies there for a conversation. */
  of(conversationId: string): readonly Enclosure[] {
    return this.desk.all.get(conversationId)?.enclosures ?? []
  }

  /** All that lies anywhere, by the keys of its bytes. */
  get keys(): readonly string[] {
    return [...this.desk.all.values()].flatMap(({ enclosures = [] }) => keysOf(enclosures))
  }

  /** Lay more there, in a conversation that is called `name`: as much as goes with one message. */
  async add(conversationId: string, chosen: readonly Chosen[], name: string): Promise<void> {
    const room = MOST - this.of(conversationId).length
    const more = await Promise.all(chosen.slice(0, room).map((each) => this.#enclose(each)))
    await this.desk.enclose(conversationId, [...this.of(conversationId), ...more], name)
  }

  /** Take one away. */
  async remove(conversationId: string, key: string): Promise<void> {
    await this.#leave(conversationId, (each) => each.key !== key)
  }

  /** Take everything away. */
  async clear(conversationId: string): Promise<void> {
    await this.#leave(conversationId, () => false)
  }

  /**
   * The bytes of what waits here.
   *
   * @throws {ApiError} this device has lost them
   */
  async bytes({ key }: Enclosure): Promise<Blob> {
    const blob = await this.blobs.get(key)
    if (blob === undefined) throw new ApiError(0, "file_gone", undefined)
    return blob
  }

  /** Take away what has no bytes: this device was switched off before it had them, or another tab has sent them. */
  async check(): Promise<void> {
    for (const id of this.desk.all.keys()) {
      const found = await Promise.all(this.of(id).map(({ key }) => this.blobs.get(key)))
      const there = new Set(this.of(id).filter((_, index) => found[index] !== undefined))
      if (there.size < found.length) await this.#leave(id, (each) => there.has(each))
    }
  }

  async #enclose({ blob, ...known }: Chosen): Promise<Enclosure> {
    const sealed = await sealFile(blob)
    const { encrypted, blob: bytes } = sealed
    return { ...known, key: this.blobs.put(bytes), size: bytes.size, encrypted, keep_metadata: false }
  }

  async #leave(conversationId: string, stays: (enclosure: Enclosure) => boolean): Promise<void> {
    const all = this.of(conversationId)
    const name = this.desk.all.get(conversationId)?.name ?? ""
    await this.desk.enclose(conversationId, all.filter(stays), name)
    await this.blobs.remove(keysOf(all.filter((each) => !stays(each))))
  }
}

function keysOf(enclosures: readonly Enclosure[]): readonly string[] {
  return enclosures.map(({ key }) => key)
}
