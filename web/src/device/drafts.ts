/**
 * What is half written, by conversation, and what will go with it: still there tomorrow, and the same in all tabs.
 *
 * Other tabs hear of it at once, and not when the device has it: somebody may go on writing in one of them, and what came
 * late would take the place of newer words.
 */
import type { Enclosure } from "../models/attachments"
import type { Kept, Unsent } from "./database"
import type { Wire } from "./tab-channel"

const NOTHING: Unsent = { text: "", name: "" }

export class Desk {
  readonly #unsent = new Map<string, Unsent>()
  #changes = 0

  constructor(
    private readonly kept: Kept,
    private readonly wire: Wire,
    private readonly changed: () => void,
  ) {
    wire.hear((news) => {
      if (news.what !== "unsent") return
      this.#lay(news.conversation_id, { ...news.unsent, name: news.unsent.name || this.#of(news.conversation_id).name })
      this.changed()
    })
  }

  async load(): Promise<void> {
    const before = this.#changes
    const [ids, found] = await this.kept.read(
      (database) => Promise.all([database.getAllKeys("unsent"), database.getAll("unsent")]),
      [[], []],
    )
    if (this.#changes !== before) return await this.load() // another tab was faster, and what was read may be older
    found.forEach((unsent, index) => this.#unsent.set(ids[index] ?? "", unsent))
    this.changed()
  }

  /** All that is half written, by conversation. */
  get all(): ReadonlyMap<string, Unsent> {
    return this.#unsent
  }

  /** Keep what is written so far in a conversation that is called `name`. */
  async write(conversationId: string, text: string, name: string): Promise<void> {
    await this.#keep(conversationId, { ...this.#of(conversationId), text, name })
  }

  /** Keep what will go with it. */
  async enclose(conversationId: string, enclosures: readonly Enclosure[], name: string): Promise<void> {
    const kept = this.#keep(conversationId, { ...this.#of(conversationId), enclosures, name })
    this.changed()
    await kept
  }

  /** It became a message: the outbox takes it over, and its place on the device. */
  handOver(conversationId: string): void {
    this.#lay(conversationId, NOTHING)
    this.wire.tell({ what: "unsent", conversation_id: conversationId, unsent: NOTHING })
  }

  async #keep(conversationId: string, unsent: Unsent): Promise<void> {
    this.#lay(conversationId, unsent)
    this.wire.tell({ what: "unsent", conversation_id: conversationId, unsent })
    await this.kept.change(
      ["unsent"],
      async (change) => {
        const store = change.objectStore("unsent")
        const done = isNothing(unsent) ? store.delete(conversationId) : store.put(unsent, conversationId)
        change.commit()
        await done
      },
      undefined,
    )
  }

  #of(conversationId: string): Unsent {
    return this.#unsent.get(conversationId) ?? NOTHING
  }

  #lay(conversationId: string, unsent: Unsent): void {
    this.#changes += 1
    if (isNothing(unsent)) this.#unsent.delete(conversationId)
    else this.#unsent.set(conversationId, unsent)
  }
}

function isNothing({ text, enclosures = [] }: Unsent): boolean {
  return text === "" && enclosures.length === 0
}
