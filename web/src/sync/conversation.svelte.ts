/**
 * A conversation. While it is joined, it is live: it resumes, catches up, sends and acknowledges. Otherwise it takes the
 * newest message from the user's channel.
 */
import { Presence, type Channel, type Socket } from "phoenix"

import type { CachedTimeline } from "../device/database"
import type { OutboxStore } from "../device/outbox-store"
import { isTransient, retryDelay, sendable, waitingIn, type Outbox } from "../models/messages/outbox"
import { fromReceipts, withStatus, readUpTo, type Receipts } from "../models/messages/receipts"
import { seal, sealReaction, type Sealed } from "../crypto/seal"
import {
  applyChange,
  emptyTimeline,
  missingAfter,
  missingChangesAfter,
  applyChanges,
  receiveNext,
  hasOlder,
  noteHead,
  noteChangesHead,
  prepend,
  restore,
  receive,
  resume,
  type Timeline,
} from "../models/messages/timeline"
import { noteTyping, TYPING_EXPIRES_MS, TYPING_INTERVAL_MS, type Typists } from "../models/people/typing"
import { ApiError, Unreachable } from "../api/http"
import type { Encryption } from "./encryption.svelte"
import { MarkedMessages } from "./marked-messages.svelte"
import { ReadReceipts } from "./read-receipts"
import { FrameBatch } from "./frame-batch"
import { HistoryJump } from "./history-jump.svelte"
import type { MessageReader } from "./message-reader"
import { Sender } from "./sender"
import type { Session } from "../session/session"
import type {
  ChangePage,
  ConversationSummary,
  Head,
  JoinReply,
  Message,
  MessageStatus,
  MessageStatuses,
  MessagePage,
  ErrorReply,
  SendReply,
} from "../api/types"
import type { Uploads } from "./uploads.svelte"

const FIRST_PAGE = 60
const PAGE = 100
/** A user who missed more messages than this starts at the end. */
const MAX_CATCH_UP = 5_000
/** How often an edit is encrypted for another epoch. */
const MAX_EPOCHS = 5
/** Messages displayed before the first unread one. */
const CONTEXT_BEFORE_UNREAD = 20

export interface ConversationContext {
  readonly session: Session
  readonly socket: Socket
  readonly me: string
  readonly outboxStore: OutboxStore
  readonly uploads: Uploads
  readonly reader: MessageReader
  readonly encryption: Encryption
  /** State changed that should be cached for the next start. */
  remember(conversationId: string): void
  /** A live message arrived. */
  received(message: Message): void
  /** Messages changed. */
  changedMessages(messages: readonly Message[]): void
  /** The members at a join, before their profiles are loaded. */
  members(members: ConversationSummary["members"]): void
  /** The server refused the join: the user is no longer a member. */
  removed(conversationId: string): void
}

export class Conversation {
  readonly id: string
  readonly topic: string
  /** The newest part of the history. */
  timeline = $state.raw<Timeline>(emptyTimeline("", 0, 0))
  receipts = $state.raw<Receipts>(new Map())
  typists = $state.raw<Typists>(new Map())
  /** The IDs of the users who are online. */
  online = $state.raw<readonly string[]>([])
  joined = $state(false)
  /** Why the server refused the last join, unless the client retries soon. */
  joinRefused = $state<string>()
  /** The outgoing messages of this conversation, in the order in which they were written. */
  outgoing = $state.raw<Outbox>([])
  /** Whether a page of earlier messages is being fetched. */
  loadingOlder = false
  /** The part of the history that the user jumped to. */
  readonly historyJump: HistoryJump
  readonly marked: MarkedMessages
  /** Undefined unless the conversation is joined, or about to be. */
  #channel: Channel | undefined
  readonly #sender: Sender
  readonly #arriving = new FrameBatch<Message>((messages) => this.#onMessages(messages))
  readonly #readReceipts: ReadReceipts
  #catchingUp = false
  #catchingUpChanges = false
  #attempts = 0
  #typingSentAt = 0
  /** An encrypted edit whose outcome is unknown. A repetition sends the same bytes, so that the server applies it once. */
  #lastEdit: { readonly messageId: string; readonly text: string; readonly sealed: Sealed } | undefined

  constructor(
    summary: ConversationSummary,
    private readonly context: ConversationContext,
    cached?: CachedTimeline,
  ) {
    this.id = summary.id
    this.topic = `message:${summary.type}:${summary.id}`
    const { epoch, last_seq, last_change } = summary
    this.timeline = cached ? restore(cached) : emptyTimeline(epoch, last_seq, last_change)
    if (cached) this.receipts = new Map(cached.receipts)
    void context.reader.open(this.timeline.messages)
    const channel = () => this.#channel
    this.#readReceipts = new ReadReceipts(context.me, channel, () => (this.joined ? this.timeline : undefined))
    this.historyJump = new HistoryJump({
      timeline: () => this.timeline,
      merged: (timeline) => (this.timeline = timeline),
      fetch: (what) => this.#request<MessagePage>("fetch", what),
      show: (messages) => void context.reader.open(messages),
    })
    const remember = () => context.remember(this.id)
    this.marked = new MarkedMessages(context.session, `/conversations/${this.id}`, remember, cached?.marks)
    const { outboxStore, uploads, encryption } = context
    this.#sender = new Sender(this.id, channel, outboxStore, uploads, encryption, (stored) => this.#onStored(stored))
    this.outgoing = waitingIn(context.outboxStore.messages, this.id)
  }

  /** Joins, and rejoins after each reconnect, until `leave`. Does nothing if that has been done. */
  join(): void {
    if (this.#channel) return
    const position = () => {
      const { last, changes, epoch } = this.timeline
      return { last_seq: last, last_change: changes, epoch, message_statuses: true }
    }
    const channel = this.context.socket.channel(this.topic, position)
    this.#channel = channel
    this.#listen(channel)
    channel
      .join()
      .receive("ok", (reply: JoinReply) => this.#onJoined(reply))
      .receive("error", (refusal: ErrorReply) => this.#onJoinRefused(refusal))
  }

  leave(): void {
    this.#readReceipts.stop()
    const channel = this.#channel
    this.#channel = undefined
    this.#onLeft()
    channel?.leave()
  }

  /** Whether messages wait to be sent. */
  get hasUnsent(): boolean {
    return sendable(this.context.outboxStore.messages, this.id).length > 0
  }

  /**
   * Takes the newest message of a conversation that is not joined, new or changed. The next join brings the missing
   * messages before it.
   */
  receiveLast(message: Message): void {
    const { last, before } = this.timeline
    if (message.seq <= before) return
    void this.context.reader.open([message])
    if (message.seq > last || message.change > 0) this.#setTimeline(receive(this.timeline, [message]))
    this.#settleOutgoing(message)
  }

  /** Sends waiting messages. */
  flush(): void {
    this.#sender.flush()
  }

  /** Called after the server closed the connection because of a frame that it cannot process. */
  frameRefused(): void {
    void this.#sender.frameRefused()
  }

  /** Show and send the outgoing messages after the outbox changed, in this tab or in another. */
  outboxChanged(): void {
    const outgoing = waitingIn(this.context.outboxStore.messages, this.id)
    const before = this.outgoing
    // A new array would re-run its readers although only another conversation's messages changed.
    const same = outgoing.length === before.length && outgoing.every((message, index) => message === before[index])
    if (!same) this.outgoing = outgoing
    this.flush()
  }

  /** Whether the user is looking at the end of this conversation. */
  get active(): boolean {
    return this.#readReceipts.active
  }

  setActive(active: boolean): void {
    this.#readReceipts.setActive(active)
  }

  /** The `seq` of the first unread message, as far as this device knows. */
  get firstUnread(): number {
    return readUpTo(this.receipts, this.context.me) + 1
  }

  /** Ensures that there is something to display: the cached messages, the newest, or those from the first unread one on. */
  loadInitial(unread: number): void {
    if (!this.joined || missingAfter(this.timeline) !== undefined) return
    const { epoch, before, last, messages, reachesStart, changes } = this.timeline
    const reachable = unread > 0 && last - this.firstUnread < MAX_CATCH_UP
    if (reachable && before >= this.firstUnread && !reachesStart) {
      this.#setTimeline(
        noteHead(emptyTimeline(epoch, Math.max(this.firstUnread - CONTEXT_BEFORE_UNREAD, 0), changes), last),
      )
      this.#catchUp()
    } else if (messages.length === 0) this.loadOlder()
  }

  /** The displayed timeline: the newest part, or the part that the user jumped to. */
  get shown(): Timeline {
    return this.historyJump.timeline ?? this.timeline
  }

  /** Jumps to a message. Returns false if it is not here and cannot be fetched. */
  async jumpTo(seq: number): Promise<boolean> {
    if (seq > this.timeline.before) this.goToNewest()
    return seq > this.timeline.before || (this.joined && (await this.historyJump.jumpTo(seq)))
  }

  goToNewest(): void {
    this.historyJump.reset()
  }

  /** Loads later messages of the part that the user jumped to. */
  loadNewer(): void {
    if (this.joined) void this.historyJump.loadNewer()
  }

  /** Loads earlier messages, or the first page if there are none. */
  loadOlder(): void {
    if (this.joined && this.historyJump.timeline) void this.historyJump.loadOlder()
    if (!this.joined || this.loadingOlder || this.historyJump.timeline || !hasOlder(this.timeline)) return
    this.loadingOlder = true
    const limit = this.timeline.messages.length === 0 ? FIRST_PAGE : PAGE
    this.#fetch({ before_seq: this.timeline.before + 1, limit }, (page) => {
      this.#setTimeline(prepend(this.timeline, page))
      void this.context.reader.open(page.messages)
      this.#readReceipts.schedule()
    })
  }

  /** Sends typing events: every few seconds while typing, and immediately when it ends. */
  sendTyping(typing: boolean): void {
    if (!this.joined || (!typing && this.#typingSentAt === 0)) return
    if (typing && Date.now() - this.#typingSentAt < TYPING_INTERVAL_MS) return
    this.#typingSentAt = typing ? Date.now() : 0
    this.#channel?.push("typing", { typing })
  }

  /**
   * Edits one of the user's messages.
   *
   * @throws {ApiError} the server returned an error; also thrown by `remove` and `react`
   * @throws {Unreachable} no response: the outcome is unknown, and repeating the change is safe
   */
  async edit(messageId: string, text: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const sealed = await this.#sealedEdit(messageId, text)
      try {
        await this.#change("edit_msg", { message_id: messageId, ...sealed })
        this.#lastEdit = undefined
        return
      } catch (error) {
        if (error instanceof ApiError) this.#lastEdit = undefined
        if (!(error instanceof ApiError && error.code === "epoch_changed" && attempt < MAX_EPOCHS)) throw error
      }
    }
  }

  async #sealedEdit(messageId: string, text: string): Promise<Sealed> {
    const { encryption } = this.context
    if (!encryption.isRequired(this.id)) return await seal(text)
    const last = this.#lastEdit
    if (last?.messageId === messageId && last.text === text) return last.sealed
    const sealed = await encryption.encrypt("edit", this.id, messageId, { text, at: Date.now() })
    this.#lastEdit = { messageId, text, sealed }
    return sealed
  }

  /** Tells the server that a message could not be decrypted or verified on this device. */
  reportFailure(messageId: string, code: number): void {
    if (this.joined) this.#channel?.push("decrypt_failed", { message_id: messageId, error_code: code })
  }

  /** Deletes a message for everyone. */
  async remove(messageId: string): Promise<void> {
    await this.#change("delete_msg", { message_id: messageId })
  }

  /** Reacts to a message; without an emoji, removes the reaction. Reactions are not encrypted yet. */
  async react(messageId: string, emoji: string | undefined): Promise<void> {
    if (emoji && this.context.encryption.isRequired(this.id)) throw new ApiError(0, "encryption_required")
    await this.#change("react", { message_id: messageId, ...(emoji ? await sealReaction(emoji) : { emoji: null }) })
  }

  /** Sends a change now or fails: a change applied a day later would surprise the user. */
  async #change(event: string, what: object): Promise<void> {
    if (!this.joined) throw new Unreachable(event)
    await this.#request(event, what)
  }

  async #request<Answer>(event: string, what: object): Promise<Answer> {
    const channel = this.#channel
    if (channel === undefined) throw new Unreachable(event)
    return await new Promise<Answer>((done, fail) => {
      channel
        .push(event, what)
        .receive("ok", done)
        .receive("error", ({ reason }: ErrorReply) => fail(new ApiError(0, reason)))
        .receive("timeout", () => fail(new Unreachable(event)))
    })
  }

  /** Fetches the messages and changes that are missing up to this position. */
  receiveHead({ last_seq, last_change }: Head): void {
    if (!this.#channel) return
    this.#arriving.flush()
    this.#setTimeline(noteChangesHead(noteHead(this.timeline, last_seq), last_change))
    this.#catchUp()
    this.#catchUpChanges()
  }

  #listen(channel: Channel): void {
    channel.on("new_msg", (message: Message) => this.#arriving.add(message))
    channel.on("message_updated", (message: Message) => {
      this.#arriving.flush()
      this.#applyChanges(applyChange(this.timeline, message), [message])
    })
    channel.on("head", (head: Head) => this.receiveHead(head))
    channel.on("message_status", (status: MessageStatus) => {
      this.receipts = withStatus(this.receipts, status)
      this.context.remember(this.id)
    })
    channel.on("message_statuses", ({ statuses }: MessageStatuses) => {
      this.receipts = statuses.reduce(withStatus, this.receipts)
      this.context.remember(this.id)
    })
    channel.on("epoch_changed", () => void this.context.encryption.follow(this.id))
    channel.on("typing", ({ user_id, typing }: { user_id: string; typing: boolean }) => {
      this.#noteTyping(user_id, typing)
    })
    // After `leave`, a new channel may have been joined before the former one is closed.
    const left = () => {
      if (this.#channel === channel) this.#onLeft()
    }
    channel.onError(left)
    channel.onClose(left)
    const presence = new Presence(channel)
    presence.onSync(() => {
      if (this.#channel === channel) this.online = presence.list((id: string) => id)
    })
  }

  #onJoinRefused(refusal: ErrorReply): void {
    if (refusal.reason === "not_found") this.context.removed(this.id)
    else if (!isTransient(refusal)) this.joinRefused = refusal.reason
  }

  #onJoined(reply: JoinReply): void {
    this.#arriving.flush()
    this.joined = true
    this.joinRefused = undefined
    this.context.members(reply.conversation.members)
    this.receipts = fromReceipts(reply.receipts)
    if (!reply.recovered) {
      this.#readReceipts.reset()
      this.historyJump.reset()
    }
    const behindBy = reply.last_seq - this.timeline.last
    const tooFarBehind = reply.recovered && behindBy > MAX_CATCH_UP
    this.#setTimeline(
      tooFarBehind ? emptyTimeline(reply.epoch, reply.last_seq, reply.last_change) : resume(this.timeline, reply),
    )
    void this.context.reader.open(this.timeline.messages)
    for (const message of reply.messages) this.#settleOutgoing(message)
    this.historyJump.applyChanges(reply.changes)
    this.context.changedMessages(reply.changes)
    this.#catchUp()
    this.#catchUpChanges()
    this.#sender.opened()
    this.#readReceipts.schedule()
  }

  #onLeft(): void {
    this.#arriving.flush()
    this.joined = false
    this.loadingOlder = false
    this.#catchingUp = this.#catchingUpChanges = false
    this.#sender.closed()
    this.#typingSentAt = 0
    this.online = []
    this.typists = new Map()
  }

  #onMessages(messages: readonly Message[]): void {
    const newMessages = messages.filter(({ seq }) => seq > this.timeline.last)
    this.#receive(messages)
    for (const { user_id } of messages) this.#noteTyping(user_id, false)
    for (const message of newMessages) this.context.received(message)
  }

  #receive(messages: readonly Message[]): void {
    this.#apply(receive(this.timeline, messages), messages)
  }

  #apply(timeline: Timeline, messages: readonly Message[]): void {
    void this.context.reader.open(messages)
    this.#setTimeline(timeline)
    for (const message of messages) this.#settleOutgoing(message)
    this.#catchUp()
    this.#readReceipts.schedule()
  }

  #applyChanges(timeline: Timeline, changed: readonly Message[]): void {
    void this.context.reader.open(changed)
    this.historyJump.applyChanges(changed)
    for (const message of changed) if (message.deleted_at !== null) this.marked.deleted(message)
    this.#setTimeline(timeline)
    this.context.changedMessages(changed)
    this.#catchUp()
    this.#catchUpChanges()
  }

  /** Removes the user's own messages from the outbox once they are in the timeline. */
  #settleOutgoing(message: Message): void {
    if (message.user_id !== this.context.me) return
    void this.context.outboxStore.remove(message.client_id)
  }

  #onStored(stored: SendReply): void {
    this.#arriving.flush() // perhaps the message itself
    this.#setTimeline(noteHead(this.timeline, stored.seq))
    this.#catchUp()
  }

  /** Fetches missing messages page by page. */
  #catchUp(): void {
    const after = missingAfter(this.timeline)
    if (after === undefined || this.#catchingUp || !this.joined) return
    this.#catchingUp = true
    this.#fetch({ after_seq: after, limit: 200 }, (page) => {
      this.#catchingUp = false
      if (page.messages.length > 0) this.#apply(receiveNext(this.timeline, page.messages), page.messages)
    })
  }

  /** Fetches missing changes page by page. */
  #catchUpChanges(): void {
    const after = missingChangesAfter(this.timeline)
    if (after === undefined || this.#catchingUpChanges || !this.joined) return
    this.#catchingUpChanges = true
    const failed = (refusal: ErrorReply) => {
      this.#catchingUpChanges = false
      if (isTransient(refusal)) setTimeout(() => this.#catchUpChanges(), retryDelay(refusal, ++this.#attempts))
    }
    this.#channel
      ?.push("fetch_changes", { after_change: after })
      .receive("ok", (page: ChangePage) => {
        this.#catchingUpChanges = false
        this.#applyChanges(applyChanges(this.timeline, page), page.changes)
      })
      .receive("error", failed)
      .receive("timeout", () => failed({ reason: "timeout" }))
  }

  #fetch(what: object, use: (page: MessagePage) => void): void {
    const failed = (refusal: ErrorReply) => {
      this.loadingOlder = false
      this.#catchingUp = false
      if (isTransient(refusal)) setTimeout(() => this.#catchUp(), retryDelay(refusal, ++this.#attempts))
    }
    this.#channel
      ?.push("fetch", what)
      .receive("ok", (page: MessagePage) => {
        this.loadingOlder = false
        use(page)
      })
      .receive("error", failed)
      .receive("timeout", () => failed({ reason: "timeout" }))
  }

  #noteTyping(userId: string, typing: boolean): void {
    if (!typing && !this.typists.has(userId)) return
    const now = Date.now()
    this.typists = noteTyping(this.typists, userId, typing, now)
    if (!typing) return
    setTimeout(() => {
      const renewed = this.typists.get(userId) !== now
      if (!renewed) this.typists = noteTyping(this.typists, userId, false, now)
    }, TYPING_EXPIRES_MS)
  }

  #setTimeline(timeline: Timeline): void {
    this.timeline = timeline
    this.context.remember(this.id)
  }
}
