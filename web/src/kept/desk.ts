/**
 * What is half written, by conversation: still there tomorrow, and the same in all tabs.
 *
 * Other tabs hear of it at once, and not when the device has it: somebody may go on writing in one of them, and what came
 * late would take the place of newer words.
 */
import type { Kept, Unsent } from "./kept"
import type { Wire } from "./wire"

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
      this.#lay(news.conversation_id, { text: news.text, name: this.#unsent.get(news.conversation_id)?.name ?? "" })
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
    this.#lay(conversationId, { text, name })
    this.wire.tell({ what: "unsent", conversation_id: conversationId, text })
    await this.kept.change(
      ["unsent"],
      async (change) => {
        const store = change.objectStore("unsent")
        const done = text === "" ? store.delete(conversationId) : store.put({ text, name }, conversationId)
        change.commit()
        await done
      },
      undefined,
    )
  }

  /** It became a message: the outbox takes it over, and its place on the device. */
  handOver(conversationId: string): void {
    this.#lay(conversationId, { text: "", name: "" })
    this.wire.tell({ what: "unsent", conversation_id: conversationId, text: "" })
  }

  #lay(conversationId: string, unsent: Unsent): void {
    this.#changes += 1
    if (unsent.text === "") this.#unsent.delete(conversationId)
    else this.#unsent.set(conversationId, unsent)
  }
}
