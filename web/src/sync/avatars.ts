/** Loads avatars once, caches them on this device, and provides them to the page as blob URLs. */
import { SvelteMap } from "svelte/reactivity"

import type { LocalDatabase } from "../device/database"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "../session/session"

const KEY_PREFIX = "face:"

export class AvatarCache {
  readonly #urls = new SvelteMap<string, string>()
  readonly #requested = new Set<string>()
  readonly #missed = new Set<string>()

  constructor(
    private readonly session: Pick<Session, "download">,
    private readonly database: LocalDatabase,
  ) {}

  /** Return the blob URL of a picture. Reactive: undefined until the picture, which the first call fetches, is here. */
  of(picture: string | null | undefined): string | undefined {
    if (!picture) return undefined
    if (!this.#requested.has(picture)) {
      this.#requested.add(picture)
      void this.#get(picture)
    }
    return this.#urls.get(picture)
  }

  /** Deletes all cached avatars except these; the others are outdated. */
  async keepOnly(pictures: ReadonlySet<string>): Promise<void> {
    for (const [picture, url] of this.#urls) {
      if (pictures.has(picture)) continue
      URL.revokeObjectURL(url)
      this.#urls.delete(picture)
      this.#requested.delete(picture)
    }
    await this.database.write(
      ["facts"],
      async (change) => {
        const facts = change.objectStore("facts")
        const keys = await facts.getAllKeys(IDBKeyRange.bound(KEY_PREFIX, `${KEY_PREFIX}\uffff`))
        for (const key of keys) if (!pictures.has(key.slice(KEY_PREFIX.length))) await facts.delete(key)
      },
      undefined,
    )
  }

  /** Retries avatars that could not be fetched while the server was unreachable. */
  retryMissed(): void {
    const missed = [...this.#missed]
    this.#missed.clear()
    for (const picture of missed) void this.#get(picture)
  }

  close(): void {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url)
    this.#urls.clear()
  }

  async #get(picture: string): Promise<void> {
    const key = KEY_PREFIX + picture
    const cached = await this.database.read((database) => database.get("facts", key), undefined)
    const bytes = cached instanceof ArrayBuffer ? cached : await this.#fetch(picture)
    if (!bytes) return
    if (bytes !== cached) {
      await this.database.write(["facts"], (change) => change.objectStore("facts").put(bytes, key), "")
    }
    this.#urls.set(picture, URL.createObjectURL(new Blob([bytes], { type: "image/webp" })))
  }

  async #fetch(picture: string): Promise<ArrayBuffer | undefined> {
    try {
      return await this.session.download(picture)
    } catch (error) {
      if (error instanceof Unreachable) this.#missed.add(picture)
      else if (!(error instanceof ApiError)) throw error
      return undefined
    }
  }
}
