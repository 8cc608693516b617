/**
 * The outbox on this device, shared by all tabs: it survives a reload, a crash and a closed browser.
 *
 * What is written is given to the device to keep, and in the same moment shown and sent, if nothing waits before it. Only
 * one tab at a time sends in a conversation. Sent twice it would still be stored once: each draft keeps its `client_id`.
 */
import {
  withMessage,
  withUploadId,
  withRefusal,
  withoutMessage,
  withRetry,
  withRetryUnprocessed,
  type OutgoingMessage,
  type Outbox,
} from "../models/outbox"
import { randomId } from "./random-id"
import type { WriteTransaction, LocalDatabase } from "./database"
import type { TabChannel } from "./tab-channel"

/** Longer than the wait for an answer: whoever does not answer by then is gone, with its turn. */
const TURN_MS = 12_000

export class OutboxStore {
  #messages: Outbox = []
  #changes = 0
  readonly #tab = randomId()
  /** Those that this browser refused to keep: they live in memory, and are sent all the same. */
  readonly #inMemoryOnly = new Set<string>()
  /** Those that the device is just now being given: no other tab has seen them. */
  readonly #beingStored = new Set<string>()

  constructor(
    private readonly database: LocalDatabase,
    private readonly tabs: TabChannel,
    private readonly changed: () => void,
    /** A draft is gone from here: whatever was kept beside it can go, too. */
    private readonly onRemoved: (message: OutgoingMessage) => void = () => undefined,
  ) {
    tabs.subscribe(({ what }) => {
      if (what === "outbox") void this.load()
    })
  }

  get messages(): Outbox {
    return this.#messages
  }

  /** Read what is kept: at the start, and when another tab changed it. */
  async load(): Promise<void> {
    const before = this.#changes
    const found = await this.database.read((database) => database.getAll("outbox"), undefined)
    if (found === undefined) return
    if (this.#changes !== before) return await this.load()
    this.#set([...found, ...this.#messages.filter((message) => this.#inMemoryOnly.has(message.client_id))])
  }

  /** Keep a draft, in place of the half-written text that it comes from. Resolves when the device has it. */
  async write(message: OutgoingMessage): Promise<void> {
    this.#beingStored.add(message.client_id)
    const storing = this.#store(message) // before it is shown: whoever shows it may send it
    this.#set(withMessage(this.#messages, message))
    const stored = await storing
    this.#beingStored.delete(message.client_id)
    if (!stored) this.#inMemoryOnly.add(message.client_id)
    this.tabs.post({ what: "outbox" })
  }

  /** It is on the server, or its person does not want it any more. */
  async remove(clientId: string | null): Promise<void> {
    const found = this.#messages.find((message) => message.client_id === clientId)
    if (found === undefined) return
    this.#set(withoutMessage(this.#messages, found.client_id))
    this.#inMemoryOnly.delete(found.client_id)
    this.onRemoved(found)
    await this.#rewrite(found.client_id, async (write, key) => write.objectStore("outbox").delete(key))
  }

  /** The server will never take it. */
  async refuse(clientId: string, reason: string): Promise<void> {
    await this.#replace(clientId, withRefusal(this.#messages, clientId, reason))
  }

  /** Note what the server calls one of the files of a draft. */
  async setUploadId(clientId: string, key: string, uploadId: string): Promise<void> {
    await this.#replace(clientId, withUploadId(this.#messages, clientId, key, uploadId))
  }

  /** Try a refused draft once more; its photos as they are, if that is wanted. */
  async retry(clientId: string, asItIs = false): Promise<void> {
    await this.#replace(clientId, (asItIs ? withRetryUnprocessed : withRetry)(this.#messages, clientId))
  }

  /**
   * Ask for the turn to send a draft: no, while another tab sends in that conversation or when it has sent it. What is
   * written here in this moment need not wait for the answer: the other tabs have not seen it.
   */
  async claim(message: OutgoingMessage): Promise<boolean> {
    const turn = this.#claimTurn(message)
    return this.#beingStored.delete(message.client_id) || (await turn)
  }

  /** Give the turn back. */
  async release(conversationId: string): Promise<void> {
    await this.database.write(
      ["turns"],
      async (write) => {
        const turns = write.objectStore("turns")
        if ((await turns.get(conversationId))?.tab === this.#tab) await turns.delete(conversationId)
      },
      undefined,
    )
    this.tabs.post({ what: "outbox" })
  }

  async #store(message: OutgoingMessage): Promise<boolean> {
    return await this.database.write(
      ["outbox", "unsent"],
      async (write) => {
        const database = write.objectStore("outbox").add(message)
        const emptied = write.objectStore("unsent").delete(message.conversation_id)
        write.commit()
        await Promise.all([database, emptied])
        return true
      },
      false,
    )
  }

  async #claimTurn(message: OutgoingMessage): Promise<boolean> {
    const now = Date.now()
    return await this.database.write(
      ["outbox", "turns"],
      async (write) => {
        const turns = write.objectStore("turns")
        const [held, waiting] = await Promise.all([
          turns.get(message.conversation_id),
          write.objectStore("outbox").index("client_id").getKey(message.client_id),
        ])
        if (held && held.tab !== this.#tab && held.until > now) return false
        if (waiting === undefined && !this.#inMemoryOnly.has(message.client_id)) return false
        await turns.put({ tab: this.#tab, until: now + TURN_MS }, message.conversation_id)
        return true
      },
      true,
    )
  }

  async #replace(clientId: string, messages: Outbox): Promise<void> {
    this.#set(messages)
    const message = messages.find((each) => each.client_id === clientId)
    if (message) await this.#rewrite(clientId, async (write, key) => write.objectStore("outbox").put(message, key))
  }

  async #rewrite(
    clientId: string,
    edit: (write: WriteTransaction<"outbox">, key: number) => Promise<unknown>,
  ): Promise<void> {
    await this.database.write(
      ["outbox"],
      async (write) => {
        const key = await write.objectStore("outbox").index("client_id").getKey(clientId)
        if (key !== undefined) await edit(write, key)
      },
      undefined,
    )
    this.tabs.post({ what: "outbox" })
  }

  #set(messages: Outbox): void {
    this.#changes += 1
    this.#messages = messages
    this.changed()
  }
}
