/** The pictures of people: fetched once, kept on this device, and given to the page as addresses of its own. */
import type { Kept } from "../device/database"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "../session/session"

const KEPT = "face:"

export class Faces {
  readonly #shown = new Map<string, string>()
  readonly #asked = new Set<string>()
  readonly #missed = new Set<string>()

  constructor(
    private readonly session: Pick<Session, "load">,
    private readonly kept: Kept,
    private readonly changed: () => void,
  ) {}

  /** Where the page finds a picture, if it is here; else it is fetched, and `changed` says when it is. */
  of(picture: string | null | undefined): string | undefined {
    if (!picture) return undefined
    if (!this.#asked.has(picture)) {
      this.#asked.add(picture)
      void this.#get(picture)
    }
    return this.#shown.get(picture)
  }

  /** Forget all pictures but these: people have others by now, or are gone. */
  async keepOnly(pictures: ReadonlySet<string>): Promise<void> {
    for (const [picture, url] of this.#shown) {
      if (pictures.has(picture)) continue
      URL.revokeObjectURL(url)
      this.#shown.delete(picture)
      this.#asked.delete(picture)
    }
    await this.kept.change(
      ["facts"],
      async (change) => {
        const facts = change.objectStore("facts")
        const keys = await facts.getAllKeys(IDBKeyRange.bound(KEPT, `${KEPT}\uffff`))
        for (const key of keys) if (!pictures.has(key.slice(KEPT.length))) await facts.delete(key)
      },
      undefined,
    )
  }

  /** There is a server again: ask for what could not be fetched. */
  again(): void {
    for (const picture of this.#missed) this.#asked.delete(picture)
    this.#missed.clear()
    this.changed()
  }

  close(): void {
    for (const url of this.#shown.values()) URL.revokeObjectURL(url)
    this.#shown.clear()
  }

  async #get(picture: string): Promise<void> {
    const key = KEPT + picture
    const here = await this.kept.read((database) => database.get("facts", key), undefined)
    const bytes = here instanceof ArrayBuffer ? here : await this.#fetch(picture)
    if (!bytes) return
    if (bytes !== here) {
      await this.kept.change(["facts"], (change) => change.objectStore("facts").put(bytes, key), "")
    }
    this.#shown.set(picture, URL.createObjectURL(new Blob([bytes], { type: "image/webp" })))
    this.changed()
  }

  async #fetch(picture: string): Promise<ArrayBuffer | undefined> {
    try {
      return await this.session.load(picture)
    } catch (error) {
      if (error instanceof Unreachable) this.#missed.add(picture)
      else if (!(error instanceof ApiError)) throw error
      return undefined
    }
  }
}
