/**
 * The stored outbox, shared by all tabs. It survives a reload, a crash and a closed browser.
 *
 * A message is written to disk and, at the same time, displayed and sent if nothing waits before it. Only one tab at a
 * time sends in a conversation. A message sent twice is still stored once, because it keeps its `client_id`.
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

/** Longer than the reply timeout: a tab that has not finished by then has crashed and loses its turn. */
const TURN_MS = 12_000

export class OutboxStore {
  #messages: Outbox = []
  #changes = 0
  readonly #tab = randomId()
  /** Messages that the browser refused to store. They are kept in memory and sent anyway. */
  readonly #inMemoryOnly = new Set<string>()
  /** Messages being written right now, which no other tab has seen. */
  readonly #beingStored = new Set<string>()

  constructor(
    private readonly database: LocalDatabase,
    private readonly tabs: TabChannel,
    private readonly changed: () => void,
    /** Called when a message leaves the outbox, so that its stored attachments can be deleted. */
    private readonly onRemoved: (message: OutgoingMessage) => void = () => undefined,
  ) {
    tabs.subscribe(({ what }) => {
      if (what === "outbox") void this.load()
    })
  }

  get messages(): Outbox {
    return this.#messages
  }

  /** Loads the stored messages: at the start, and when another tab changed them. */
  async load(): Promise<void> {
    const before = this.#changes
    const found = await this.database.read((database) => database.getAll("outbox"), undefined)
    if (found === undefined) return
    if (this.#changes !== before) return await this.load()
    this.#set([...found, ...this.#messages.filter((message) => this.#inMemoryOnly.has(message.client_id))])
  }

  /** Stores a message and deletes the draft it came from. Resolves once it is on disk. */
  async write(message: OutgoingMessage): Promise<void> {
    this.#beingStored.add(message.client_id)
    const storing = this.#store(message) // before it is displayed, because displaying it may send it
    this.#set(withMessage(this.#messages, message))
    const stored = await storing
    this.#beingStored.delete(message.client_id)
    if (!stored) this.#inMemoryOnly.add(message.client_id)
    this.tabs.post({ what: "outbox" })
  }

  /** Removes a message that is on the server or that the user discarded. */
  async remove(clientId: string | null): Promise<void> {
    const found = this.#messages.find((message) => message.client_id === clientId)
    if (found === undefined) return
    this.#set(withoutMessage(this.#messages, found.client_id))
    this.#inMemoryOnly.delete(found.client_id)
    this.onRemoved(found)
    await this.#rewrite(found.client_id, async (write, key) => write.objectStore("outbox").delete(key))
  }

  /** Marks a message that the server permanently rejected. */
  async refuse(clientId: string, reason: string): Promise<void> {
    await this.#replace(clientId, withRefusal(this.#messages, clientId, reason))
  }

  /** Records the server's id of an attachment's upload. */
  async setUploadId(clientId: string, key: string, uploadId: string): Promise<void> {
    await this.#replace(clientId, withUploadId(this.#messages, clientId, key, uploadId))
  }

  /** Retries a rejected message, optionally with its photos in their original form. */
  async retry(clientId: string, asItIs = false): Promise<void> {
    await this.#replace(clientId, (asItIs ? withRetryUnprocessed : withRetry)(this.#messages, clientId))
  }

  /**
   * Claims the right to send a message. Returns false while another tab is sending in that conversation, or if it has
   * sent this message. A message being written right now needs no claim, because other tabs have not seen it.
   */
  async claim(message: OutgoingMessage): Promise<boolean> {
    const turn = this.#claimTurn(message)
    return this.#beingStored.delete(message.client_id) || (await turn)
  }

  /** Releases the right to send. */
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
