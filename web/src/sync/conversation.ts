/** One conversation, live: joined, resumed, caught up, written to and acknowledged. */
import { Presence, type Channel, type Socket } from "phoenix"

import type { KeptTimeline } from "../device/database"
import type { Mailbox } from "../device/outbox-store"
import { passes, patience } from "../models/outbox"
import { gather, note, readUpTo, type Receipts } from "../models/receipts"
import { seal, sealSign } from "../crypto/seal"
import {
  amend,
  begin,
  behind,
  behindChanges,
  catchUp,
  follow,
  hasOlder,
  hear,
  hearChange,
  prepend,
  recall,
  receive,
  resume,
  type Timeline,
} from "../models/timeline"
import { hear as hearTyping, FORGET_AFTER_MS, SAY_EVERY_MS, type Typists } from "../models/typing"
import { ApiError, Unreachable } from "../api/http"
import { Attendance } from "./read-receipts"
import { Past } from "./history-jump"
import type { Reader } from "./message-reader"
import { Sender } from "./sender"
import type { ChangesPage, Conversation, Joined, Message, MessageStatus, Page, Refusal, Stored } from "../api/types"
import type { Uploads } from "./uploads"

const FIRST_PAGE = 60
const PAGE = 100
/** Whoever missed more than this begins at the end, and reads back from there. */
const MOST_CAUGHT_UP = 5_000
/** As many messages are shown before the first unread one. */
const BEFORE_NEWS = 20

export interface Surroundings {
  readonly socket: Socket
  readonly me: string
  readonly mailbox: Mailbox
  readonly uploads: Uploads
  readonly reader: Reader
  /** Something is to be shown anew. */
  changed(): void
  /** Something is to be remembered for the next start. */
  learned(conversationId: string): void
  /** A message came in, live. */
  arrived(message: Message): void
  /** Messages are not what they were. */
  amended(messages: readonly Message[]): void
  /** The server does not let this person in any more. */
  shut(conversationId: string): void
}

export class Room {
  readonly id: string
  timeline: Timeline
  receipts: Receipts = new Map()
  typists: Typists = new Map()
  here: readonly string[] = []
  joined = false
  /** Whether a page of earlier messages is on its way. */
  reading = false
  /** Where somebody went back to. */
  readonly past: Past
  readonly #channel: Channel
  readonly #sender: Sender
  readonly #attendance: Attendance
  #catchingUp = false
  #catchingUpChanges = false
  #attempts = 0
  #saidTyping = 0

  constructor(
    conversation: Conversation,
    private readonly around: Surroundings,
    kept?: KeptTimeline,
  ) {
    this.id = conversation.id
    const { epoch, last_seq, last_change } = conversation
    this.timeline = kept ? recall(kept) : begin(epoch, last_seq, last_change)
    if (kept) this.receipts = new Map(kept.receipts)
    void around.reader.take(this.timeline.messages)
    const place = () => {
      const { last, changes, epoch } = this.timeline
      return { last_seq: last, last_change: changes, epoch }
    }
    this.#channel = around.socket.channel(`message:${conversation.type}:${conversation.id}`, place)
    this.#attendance = new Attendance(around.me, this.#channel, () => (this.joined ? this.timeline : undefined))
    this.past = new Past({
      timeline: () => this.timeline,
      met: (timeline) => (this.timeline = timeline),
      fetch: (what) => this.#ask<Page>("fetch", what),
      take: (messages) => {
        void around.reader.take(messages)
        around.changed()
      },
    })
    this.#sender = new Sender(this.id, this.#channel, around.mailbox, around.uploads, (stored) => this.#stored(stored))
    this.#listen()
  }

  join(): void {
    this.#channel
      .join()
      .receive("ok", (reply: Joined) => this.#entered(reply))
      .receive("error", (refusal: Refusal) => {
        if (refusal.reason === "not_found") this.around.shut(this.id)
      })
  }

  leave(): void {
    this.#attendance.end()
    this.#channel.leave()
  }

  /** Send what waits here. */
  flush(): void {
    this.#sender.flush()
  }

  /** Whether somebody is looking at the end of this conversation. */
  attend(attended: boolean): void {
    this.#attendance.attend(attended)
  }

  /** The place of the first message that its reader has not read, as far as this device knows. */
  get news(): number {
    return readUpTo(this.receipts, this.around.me) + 1
  }

  /** Get something to show: what is there, else the newest messages, or those from the first unread one on. */
  begin(unread: number): void {
    if (!this.joined || behind(this.timeline) !== undefined) return
    const { epoch, before, last, messages, whole, changes } = this.timeline
    const reachable = unread > 0 && last - this.news < MOST_CAUGHT_UP
    if (reachable && before >= this.news && !whole) {
      this.#show(hear(begin(epoch, Math.max(this.news - BEFORE_NEWS, 0), changes), last))
      this.#catchUp()
    } else if (messages.length === 0) this.readOlder()
  }

  /** What is to be shown: the newest part, or the one that somebody went back to. */
  get shown(): Timeline {
    return this.past.timeline ?? this.timeline
  }

  /** Go to a message, wherever it is; false, if it is not here and the server does not give it now. */
  async visit(seq: number): Promise<boolean> {
    if (seq > this.timeline.before) this.goToNewest()
    return seq > this.timeline.before || (this.joined && (await this.past.visit(seq)))
  }

  goToNewest(): void {
    this.past.leave()
    this.around.changed()
  }

  /** Read on from where one went back to. */
  readNewer(): void {
    if (this.joined) void this.past.readNewer()
  }

  /** Read back: a first page when there is nothing yet, then the one before, and so on. */
  readOlder(): void {
    if (this.joined && this.past.timeline) void this.past.readOlder()
    if (!this.joined || this.reading || this.past.timeline || !hasOlder(this.timeline)) return
    this.reading = true
    const limit = this.timeline.messages.length === 0 ? FIRST_PAGE : PAGE
    this.#fetch({ before_seq: this.timeline.before + 1, limit }, (page) => {
      this.#show(prepend(this.timeline, page))
      void this.around.reader.take(page.messages)
      this.#attendance.sayAgain()
    })
  }

  /** Tell the others about typing: that it goes on, every few seconds; that it ended, at once. */
  type(typing: boolean): void {
    if (!this.joined || (!typing && this.#saidTyping === 0)) return
    if (typing && Date.now() - this.#saidTyping < SAY_EVERY_MS) return
    this.#saidTyping = typing ? Date.now() : 0
    this.#channel.push("typing", { typing })
  }

  /**
   * Say an own message in other words.
   *
   * @throws {ApiError} the server refuses it; as do `remove` and `react`
   * @throws {Unreachable} it does not answer, and nobody knows whether it was done: doing it again does no harm
   */
  async edit(messageId: string, text: string): Promise<void> {
    await this.#change("edit_msg", { message_id: messageId, ...(await seal(text)) })
  }

  /** Take a message away, for everybody. */
  async remove(messageId: string): Promise<void> {
    await this.#change("delete_msg", { message_id: messageId })
  }

  /** React to a message; without a sign, take that back. */
  async react(messageId: string, sign: string | undefined): Promise<void> {
    await this.#change("react", { message_id: messageId, ...(sign ? await sealSign(sign) : { emoji: null }) })
  }

  /** A change is made now or not at all: what waits for a day would surprise whoever asked for it. */
  async #change(event: string, what: object): Promise<void> {
    if (!this.joined) throw new Unreachable(event)
    await this.#ask(event, what)
  }

  async #ask<Answer>(event: string, what: object): Promise<Answer> {
    return await new Promise<Answer>((done, fail) => {
      this.#channel
        .push(event, what)
        .receive("ok", done)
        .receive("error", ({ reason }: Refusal) => fail(new ApiError(0, reason, undefined)))
        .receive("timeout", () => fail(new Unreachable(event)))
    })
  }

  #listen(): void {
    this.#channel.on("new_msg", (message: Message) => this.#received(message))
    this.#channel.on("message_updated", (message: Message) => {
      this.#amended(amend(this.timeline, message), [message])
    })
    this.#channel.on("head", ({ last_seq, last_change }: { last_seq: number; last_change: number }) => {
      this.#show(hearChange(hear(this.timeline, last_seq), last_change))
      this.#catchUp()
      this.#catchUpChanges()
    })
    this.#channel.on("message_status", (status: MessageStatus) => {
      this.receipts = note(this.receipts, status)
      this.around.learned(this.id)
      this.around.changed()
    })
    this.#channel.on("typing", ({ user_id, typing }: { user_id: string; typing: boolean }) => {
      this.#typing(user_id, typing)
    })
    this.#channel.onError(() => this.#left())
    this.#channel.onClose(() => this.#left())
    const presence = new Presence(this.#channel)
    presence.onSync(() => {
      this.here = presence.list((id: string) => id)
      this.around.changed()
    })
  }

  #entered(reply: Joined): void {
    this.joined = true
    this.receipts = gather(reply.receipts)
    if (!reply.recovered) {
      this.#attendance.beginAnew()
      this.past.leave()
    }
    const missed = reply.last_seq - this.timeline.last
    const far = reply.recovered && missed > MOST_CAUGHT_UP
    this.#show(far ? begin(reply.epoch, reply.last_seq, reply.last_change) : resume(this.timeline, reply))
    void this.around.reader.take(this.timeline.messages)
    for (const message of reply.messages) this.#settle(message)
    this.past.amend(reply.changes)
    this.around.amended(reply.changes)
    this.#catchUp()
    this.#catchUpChanges()
    this.#sender.opened()
    this.#attendance.sayAgain()
  }

  #left(): void {
    this.joined = false
    this.reading = false
    this.#catchingUp = this.#catchingUpChanges = false
    this.#sender.closed()
    this.#saidTyping = 0
    this.here = []
    this.typists = new Map()
    this.around.changed()
  }

  #received(message: Message): void {
    const news = message.seq > this.timeline.last
    this.#take([message])
    this.#typing(message.user_id, false)
    if (news) this.around.arrived(message)
  }

  #take(messages: readonly Message[]): void {
    this.#know(receive(this.timeline, messages), messages)
  }

  #know(timeline: Timeline, messages: readonly Message[]): void {
    void this.around.reader.take(messages)
    this.#show(timeline)
    for (const message of messages) this.#settle(message)
    this.#catchUp()
    this.#attendance.sayAgain()
  }

  #amended(timeline: Timeline, changed: readonly Message[]): void {
    void this.around.reader.take(changed)
    this.past.amend(changed)
    this.#show(timeline)
    this.around.amended(changed)
    this.#catchUp()
    this.#catchUpChanges()
  }

  /** A message of mine that is in the timeline waits no longer. */
  #settle(message: Message): void {
    if (message.user_id !== this.around.me) return
    void this.around.mailbox.remove(message.client_id)
  }

  #stored(stored: Stored): void {
    this.#show(hear(this.timeline, stored.seq))
    this.#catchUp()
  }

  /** Fetch what is missing, page by page, until nothing is. */
  #catchUp(): void {
    const after = behind(this.timeline)
    if (after === undefined || this.#catchingUp || !this.joined) return
    this.#catchingUp = true
    this.#fetch({ after_seq: after, limit: 200 }, (page) => {
      this.#catchingUp = false
      if (page.messages.length > 0) this.#know(follow(this.timeline, page.messages), page.messages)
    })
  }

  /** The same for changes. */
  #catchUpChanges(): void {
    const after = behindChanges(this.timeline)
    if (after === undefined || this.#catchingUpChanges || !this.joined) return
    this.#catchingUpChanges = true
    const failed = (refusal: Refusal) => {
      this.#catchingUpChanges = false
      if (passes(refusal)) setTimeout(() => this.#catchUpChanges(), patience(refusal, ++this.#attempts))
    }
    this.#channel
      .push("fetch_changes", { after_change: after })
      .receive("ok", (page: ChangesPage) => {
        this.#catchingUpChanges = false
        this.#amended(catchUp(this.timeline, page), page.changes)
      })
      .receive("error", failed)
      .receive("timeout", () => failed({ reason: "timeout" }))
  }

  #fetch(what: object, take: (page: Page) => void): void {
    const failed = (refusal: Refusal) => {
      this.reading = false
      this.#catchingUp = false
      if (passes(refusal)) setTimeout(() => this.#catchUp(), patience(refusal, ++this.#attempts))
      this.around.changed()
    }
    this.#channel
      .push("fetch", what)
      .receive("ok", (page: Page) => {
        this.reading = false
        take(page)
      })
      .receive("error", failed)
      .receive("timeout", () => failed({ reason: "timeout" }))
  }

  #typing(userId: string, typing: boolean): void {
    this.typists = hearTyping(this.typists, userId, typing, Date.now())
    if (typing) setTimeout(() => this.around.changed(), FORGET_AFTER_MS)
    this.around.changed()
  }

  #show(timeline: Timeline): void {
    this.timeline = timeline
    this.around.learned(this.id)
    this.around.changed()
  }
}
