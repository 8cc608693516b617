/**
 * Unsent text and attachments per conversation. They survive a restart and are the same in all tabs.
 *
 * Other tabs get each change immediately rather than after the write: the user may continue typing in one of them, and a late
 * notice would overwrite newer text.
 */
import { SvelteMap } from "svelte/reactivity"

import type { PendingAttachment } from "../models/messages/attachments"
import type { OutgoingMessage } from "../models/messages/outbox"
import type { LocalDatabase, Draft } from "./database"
import type { TabChannel } from "./tab-channel"

const EMPTY: Draft = { text: "", name: "" }

/** The draft of one conversation. Each character changes `current`, and not the map: see `Drafts.get`. */
class StoredDraft {
  current = $state.raw<Draft>(EMPTY)
}

export class Drafts {
  readonly #drafts = new SvelteMap<string, StoredDraft>()
  #changes = 0

  constructor(
    private readonly storing_: LocalDatabase,
    private readonly tabs: TabChannel,
  ) {
    tabs.subscribe((message) => {
      if (message.what !== "unsent") return
      this.#set(message.conversation_id, {
        ...message.unsent,
        name: message.unsent.name || this.#get(message.conversation_id).name,
      })
    })
  }

  async load(): Promise<void> {
    const before = this.#changes
    const [ids, found] = await this.storing_.read(
      (storing_) => Promise.all([storing_.getAllKeys("unsent"), storing_.getAll("unsent")]),
      [[], []],
    )
    if (this.#changes !== before) return await this.load() // another tab wrote meanwhile, so the data read may be stale
    found.forEach((draft, index) => this.#put(ids[index] ?? "", draft))
  }

  /** The IDs of the conversations with a draft. */
  get ids(): readonly string[] {
    return [...this.#drafts.keys()]
  }

  /**
   * Returns the draft of a conversation.
   *
   * Reactive: a reader does not run while the user types elsewhere. `SvelteMap` notifies the readers of absent keys of
   * every replaced value, and most conversations have no draft, so a value of the map is never replaced.
   */
  get(conversationId: string): Draft | undefined {
    return this.#drafts.get(conversationId)?.current
  }

  /** Saves the text typed so far in a conversation called `name`. */
  async write(conversationId: string, text: string, name: string): Promise<void> {
    await this.#store(conversationId, { ...this.#get(conversationId), text, name })
  }

  /** Saves the attachments of a draft. */
  async setAttachments(conversationId: string, enclosures: readonly PendingAttachment[], name: string): Promise<void> {
    await this.#store(conversationId, { ...this.#get(conversationId), enclosures, name })
  }

  /** Puts a message that was not sent before the draft of its conversation, which is called `name`. */
  async putBack({ conversation_id, text, enclosures = [] }: OutgoingMessage, name: string): Promise<void> {
    const draft = this.#get(conversation_id)
    await this.#store(conversation_id, {
      name,
      text: [text, draft.text].filter((each) => each !== "").join("\n\n"),
      enclosures: [...enclosures.map(({ upload_id: _, ...each }) => each), ...(draft.enclosures ?? [])],
    })
  }

  /** Removes a draft that became a message; the outbox deletes its record. */
  clear(conversationId: string): void {
    this.#set(conversationId, EMPTY)
    this.tabs.post({ what: "unsent", conversation_id: conversationId, unsent: EMPTY })
  }

  async #store(conversationId: string, draft: Draft): Promise<void> {
    this.#set(conversationId, draft)
    this.tabs.post({ what: "unsent", conversation_id: conversationId, unsent: draft })
    await this.storing_.write(
      ["unsent"],
      async (change) => {
        const store = change.objectStore("unsent")
        const done = isEmpty(draft) ? store.delete(conversationId) : store.put(draft, conversationId)
        change.commit()
        await done
      },
      undefined,
    )
  }

  #get(conversationId: string): Draft {
    return this.get(conversationId) ?? EMPTY
  }

  #set(conversationId: string, draft: Draft): void {
    this.#changes += 1
    if (isEmpty(draft)) this.#drafts.delete(conversationId)
    else this.#put(conversationId, draft)
  }

  #put(conversationId: string, draft: Draft): void {
    const stored = this.#drafts.get(conversationId) ?? new StoredDraft()
    stored.current = draft
    this.#drafts.set(conversationId, stored)
  }
}

function isEmpty({ text, enclosures = [] }: Draft): boolean {
  return text === "" && enclosures.length === 0
}
