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
  withRefusedFiles,
  withSealed,
  withoutMessage,
  withoutRefusedFiles,
  withRetry,
  withRetryUnprocessed,
  type OutgoingMessage,
  type Outbox,
} from "../models/messages/outbox"
import { randomId } from "../api/random-id"
import type { Sealed } from "../crypto/seal"
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

  /** Stores the messages that a draft became, and deletes the draft. Resolves once they are on disk. */
  async write(...messages: readonly OutgoingMessage[]): Promise<void> {
    for (const { client_id } of messages) this.#beingStored.add(client_id)
    const storing = this.#store(messages) // before they are displayed, because displaying them may send them
    this.#set(messages.reduce(withMessage, this.#messages))
    const stored = await storing
    for (const { client_id } of messages) {
      this.#beingStored.delete(client_id)
      if (!stored) this.#inMemoryOnly.add(client_id)
    }
    this.tabs.post({ what: "outbox" })
  }

  /** Removes a message that is on the server or that the user discarded. */
  async remove(clientId: string | null): Promise<void> {
    const found = this.#messages.find((message) => message.client_id === clientId)
    if (found === undefined) return
    const takingOut = this.takeOut(found.client_id)
    this.onRemoved(found)
    await takingOut
  }

  /** Removes a message, and leaves its attachments to the draft that it became. */
  async takeOut(clientId: string): Promise<void> {
    this.#set(withoutMessage(this.#messages, clientId))
    this.#inMemoryOnly.delete(clientId)
    await this.#rewrite(clientId, async (write, key) => write.objectStore("outbox").delete(key))
  }

  /** Marks a message that the server permanently rejected. */
  async refuse(clientId: string, reason: string): Promise<void> {
    await this.#replace(clientId, withRefusal(this.#messages, clientId, reason))
  }

  /** Marks a message whose files were permanently rejected, with the reason for each by its key. */
  async refuseFiles(clientId: string, reasons: ReadonlyMap<string, string>): Promise<void> {
    await this.#replace(clientId, withRefusedFiles(this.#messages, clientId, reasons))
  }

  /** Replaces the body to send. Resolves once it is on disk. */
  async setSealed(clientId: string, sealed: Sealed): Promise<void> {
    await this.#replace(clientId, withSealed(this.#messages, clientId, sealed))
  }

  /** Records the server's id of an attachment's upload. */
  async setUploadId(clientId: string, key: string, uploadId: string): Promise<void> {
    await this.#replace(clientId, withUploadId(this.#messages, clientId, key, uploadId))
  }

  /** Retries a rejected message, optionally with its photos in their original form. */
  async retry(clientId: string, asItIs = false): Promise<void> {
    await this.#replace(clientId, (asItIs ? withRetryUnprocessed : withRetry)(this.#messages, clientId))
  }

  /** Retries a rejected message without its rejected files. */
  async retryWithoutRefusedFiles(clientId: string): Promise<void> {
    await this.#replace(clientId, withoutRefusedFiles(this.#messages, clientId))
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

  async #store(messages: readonly OutgoingMessage[]): Promise<boolean> {
    return await this.database.write(
      ["outbox", "unsent"],
      async (write) => {
        const added = messages.map((message) => write.objectStore("outbox").add(message))
        const ids = new Set(messages.map((message) => message.conversation_id))
        const emptied = [...ids].map((id) => write.objectStore("unsent").delete(id))
        write.commit()
        await Promise.all([...added, ...emptied])
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
        // A turn that lasts longer than any is from a time when the clock of this device was ahead.
        const isHeld = held !== undefined && held.until > now && held.until <= now + TURN_MS
        if (isHeld && held.tab !== this.#tab) return false
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
