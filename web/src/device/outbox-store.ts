/**
 * The outbox on this device, shared by all tabs: it survives a reload, a crash and a closed browser.
 *
 * What is written is given to the device to keep, and in the same moment shown and sent, if nothing waits before it. Only
 * one tab at a time sends in a conversation. Sent twice it would still be stored once: each draft keeps its `client_id`.
 */
import { add, label, refuse, remove, retry, retryAsItIs, type Draft, type Outbox } from "../models/outbox"
import { randomId } from "./cross-tab-lock"
import type { Change, Kept } from "./database"
import type { Wire } from "./tab-channel"

/** Longer than the wait for an answer: whoever does not answer by then is gone, with its turn. */
const TURN_MS = 12_000

export class Mailbox {
  #drafts: Outbox = []
  #changes = 0
  readonly #tab = randomId()
  /** Those that this browser refused to keep: they live in memory, and are sent all the same. */
  readonly #unkept = new Set<string>()
  /** Those that the device is just now being given: no other tab has seen them. */
  readonly #fresh = new Set<string>()

  constructor(
    private readonly kept: Kept,
    private readonly wire: Wire,
    private readonly changed: () => void,
    /** A draft is gone from here: whatever was kept beside it can go, too. */
    private readonly gone: (draft: Draft) => void = () => undefined,
  ) {
    wire.hear(({ what }) => {
      if (what === "outbox") void this.load()
    })
  }

  get drafts(): Outbox {
    return this.#drafts
  }

  /** Read what is kept: at the start, and when another tab changed it. */
  async load(): Promise<void> {
    const before = this.#changes
    const found = await this.kept.read((database) => database.getAll("outbox"), undefined)
    if (found === undefined) return
    if (this.#changes !== before) return await this.load()
    this.#show([...found, ...this.#drafts.filter((draft) => this.#unkept.has(draft.client_id))])
  }

  /** Keep a draft, in place of the half-written text that it comes from. Resolves when the device has it. */
  async write(draft: Draft): Promise<void> {
    this.#fresh.add(draft.client_id)
    const keeping = this.#keep(draft) // before it is shown: whoever shows it may send it
    this.#show(add(this.#drafts, draft))
    const stored = await keeping
    this.#fresh.delete(draft.client_id)
    if (!stored) this.#unkept.add(draft.client_id)
    this.wire.tell({ what: "outbox" })
  }

  /** It is on the server, or its person does not want it any more. */
  async remove(clientId: string | null): Promise<void> {
    const found = this.#drafts.find((draft) => draft.client_id === clientId)
    if (found === undefined) return
    this.#show(remove(this.#drafts, found.client_id))
    this.#unkept.delete(found.client_id)
    this.gone(found)
    await this.#rewrite(found.client_id, async (change, place) => change.objectStore("outbox").delete(place))
  }

  /** The server will never take it. */
  async refuse(clientId: string, reason: string): Promise<void> {
    await this.#replace(clientId, refuse(this.#drafts, clientId, reason))
  }

  /** Note what the server calls one of the files of a draft. */
  async label(clientId: string, key: string, uploadId: string): Promise<void> {
    await this.#replace(clientId, label(this.#drafts, clientId, key, uploadId))
  }

  /** Try a refused draft once more; its photos as they are, if that is wanted. */
  async retry(clientId: string, asItIs = false): Promise<void> {
    await this.#replace(clientId, (asItIs ? retryAsItIs : retry)(this.#drafts, clientId))
  }

  /**
   * Ask for the turn to send a draft: no, while another tab sends in that conversation or when it has sent it. What is
   * written here in this moment need not wait for the answer: the other tabs have not seen it.
   */
  async claim(draft: Draft): Promise<boolean> {
    const turn = this.#takeTurn(draft)
    return this.#fresh.delete(draft.client_id) || (await turn)
  }

  /** Give the turn back. */
  async release(conversationId: string): Promise<void> {
    await this.kept.change(
      ["turns"],
      async (change) => {
        const turns = change.objectStore("turns")
        if ((await turns.get(conversationId))?.tab === this.#tab) await turns.delete(conversationId)
      },
      undefined,
    )
    this.wire.tell({ what: "outbox" })
  }

  async #keep(draft: Draft): Promise<boolean> {
    return await this.kept.change(
      ["outbox", "unsent"],
      async (change) => {
        const kept = change.objectStore("outbox").add(draft)
        const emptied = change.objectStore("unsent").delete(draft.conversation_id)
        change.commit()
        await Promise.all([kept, emptied])
        return true
      },
      false,
    )
  }

  async #takeTurn(draft: Draft): Promise<boolean> {
    const now = Date.now()
    return await this.kept.change(
      ["outbox", "turns"],
      async (change) => {
        const turns = change.objectStore("turns")
        const [held, waiting] = await Promise.all([
          turns.get(draft.conversation_id),
          change.objectStore("outbox").index("client_id").getKey(draft.client_id),
        ])
        if (held && held.tab !== this.#tab && held.until > now) return false
        if (waiting === undefined && !this.#unkept.has(draft.client_id)) return false
        await turns.put({ tab: this.#tab, until: now + TURN_MS }, draft.conversation_id)
        return true
      },
      true,
    )
  }

  async #replace(clientId: string, drafts: Outbox): Promise<void> {
    this.#show(drafts)
    const draft = drafts.find((each) => each.client_id === clientId)
    if (draft) await this.#rewrite(clientId, async (change, place) => change.objectStore("outbox").put(draft, place))
  }

  async #rewrite(clientId: string, how: (change: Change<"outbox">, place: number) => Promise<unknown>): Promise<void> {
    await this.kept.change(
      ["outbox"],
      async (change) => {
        const place = await change.objectStore("outbox").index("client_id").getKey(clientId)
        if (place !== undefined) await how(change, place)
      },
      undefined,
    )
    this.wire.tell({ what: "outbox" })
  }

  #show(drafts: Outbox): void {
    this.#changes += 1
    this.#drafts = drafts
    this.changed()
  }
}
