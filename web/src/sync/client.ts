/** Everything that one signed-in person sees: conversations, people, what is waiting, and how the connection is. */
import type { Channel } from "phoenix"

import { seal } from "../crypto/seal"
import { Blobs } from "../device/blobs"
import { Desk } from "../device/drafts"
import { Kept, type KeptTimeline, type Unsent } from "../device/database"
import { Mailbox } from "../device/outbox-store"
import { Recall, type Recalled } from "../device/offline-cache"
import { Wire } from "../device/tab-channel"
import type { Enclosure } from "../models/attachments"
import { invitationLink } from "../models/invitation"
import { waiting, type Draft, type Outbox } from "../models/outbox"
import { amended, drop, put, said, setUnread, type Shelf } from "../models/conversation-list"
import { Addresses } from "./signed-urls"
import { ApiError, Unreachable } from "../api/http"
import { Circle } from "./contacts"
import { Link, type LinkState } from "./connection"
import { Quotes } from "./reply-previews"
import { Reader } from "./message-reader"
import { Room, type Surroundings } from "./conversation"
import type { Session } from "../session/session"
import type { Conversation, Message, Person } from "../api/types"
import { Tray } from "./pending-attachments"
import { randomId } from "../device/cross-tab-lock"
import { Uploads } from "./uploads"

const LOOK_AGAIN_MS = 3_000

export class Talk {
  readonly me: { readonly id: string; readonly username: string }
  readonly reader: Reader
  readonly quotes: Quotes
  /** The bytes of what waits here to be sent. */
  readonly blobs: Blobs
  readonly tray: Tray
  readonly uploads: Uploads
  /** Where the bytes are of what others sent. */
  readonly addresses: Addresses
  /** Whom this person sees. */
  readonly circle: Circle
  shelf: Shelf = []
  /** Whether the conversations are here yet. */
  ready = false
  /** The newest message that came in live from somebody else. */
  latest: Message | undefined
  /** Conversations that this person is not in any more, by what they were. */
  gone: ReadonlyMap<string, Conversation> = new Map()
  readonly #rooms = new Map<string, Room>()
  readonly #listeners = new Set<(talk: Talk) => void>()
  readonly #link: Link
  readonly #kept: Kept
  readonly #wire: Wire
  readonly #mailbox: Mailbox
  readonly #desk: Desk
  readonly #recall: Recall
  /** What this person leaves by intention: no farewell is due. */
  readonly #leaving = new Set<string>()
  #told = false
  #stopped = false

  constructor(readonly session: Session) {
    const changed = () => this.#changed()
    this.me = session.user
    this.reader = new Reader(changed)
    this.quotes = new Quotes(session, this.reader, changed)
    this.#kept = new Kept(this.me.id, changed)
    this.#wire = new Wire(this.me.id)
    this.blobs = new Blobs(this.me.id)
    this.uploads = new Uploads(session, this.blobs, changed)
    this.addresses = new Addresses(session)
    const gone = (draft: Draft) => void this.blobs.remove((draft.enclosures ?? []).map(({ key }) => key))
    this.#mailbox = new Mailbox(this.#kept, this.#wire, () => this.#outboxChanged(), gone)
    this.#desk = new Desk(this.#kept, this.#wire, changed)
    this.tray = new Tray(this.#desk, this.blobs)
    this.#recall = new Recall(this.#kept)
    this.circle = new Circle(session, this.#kept, this.#recall, changed)
    this.#link = new Link(session, changed)
  }

  get link(): LinkState {
    return this.#link.state
  }

  get outbox(): Outbox {
    return this.#mailbox.drafts
  }

  /** Whether this browser keeps what is written here. */
  get durable(): boolean {
    return this.#kept.durable
  }

  /** What is half written, by conversation. */
  get unsent(): ReadonlyMap<string, Unsent> {
    return this.#desk.all
  }

  /** What this person wrote in conversations that are gone, so that it is not lost. */
  get kept(): readonly { readonly id: string; readonly name: string }[] {
    if (!this.ready) return []
    const ids = [...this.unsent.keys(), ...this.outbox.map((draft) => draft.conversation_id)]
    const lost = [...new Set(ids)].filter((id) => this.conversation(id) === undefined)
    return lost.map((id) => ({ id, name: this.gone.get(id)?.name ?? this.unsent.get(id)?.name ?? "" }))
  }

  /** Show what was here last time, at once; then go to the server. */
  async start(): Promise<void> {
    const [recalled] = await Promise.all([this.#recall.load(), this.#mailbox.load(), this.#desk.load()])
    if (this.#stopped) return
    const drafted = this.outbox.flatMap((draft) => (draft.enclosures ?? []).map(({ key }) => key))
    void this.blobs.removeAllBut(new Set([...drafted, ...this.tray.keys]))
    void this.tray.check()
    this.#remember(recalled)
    this.#hearNews()
    addEventListener("visibilitychange", this.#flush)
    await this.#link.open()
  }

  /** This device is signed out: forget what others wrote. What this person wrote and did not send stays for later. */
  async stop(): Promise<void> {
    this.#stopped = true
    removeEventListener("visibilitychange", this.#flush)
    this.#link.close()
    this.#listeners.clear()
    this.#wire.close()
    this.circle.faces.close()
    await this.#recall.clear()
    await this.#kept.close()
    await this.blobs.close()
  }

  /** A Svelte store: the views are drawn anew when something changed, at most once a turn. */
  subscribe(listener: (talk: Talk) => void): () => void {
    this.#listeners.add(listener)
    listener(this)
    return () => this.#listeners.delete(listener)
  }

  room(id: string): Room | undefined {
    return this.#rooms.get(id)
  }

  conversation(id: string): Conversation | undefined {
    return this.shelf.find((each) => each.id === id)
  }

  /** Write a message. It is shown at once, and given to this device to keep before anything else happens to it. */
  async write(id: string, text: string, enclosures: readonly Enclosure[] = [], replyTo?: string): Promise<void> {
    const draft = {
      client_id: randomId(),
      conversation_id: id,
      text,
      sealed: await seal(text),
      ...(replyTo !== undefined && { reply_to: replyTo }),
      written_at: new Date().toISOString(),
      ...(enclosures.length > 0 && { enclosures }),
    }
    this.#desk.handOver(id)
    await this.blobs.kept(enclosures.map(({ key }) => key))
    await this.#mailbox.write(draft)
    this.room(id)?.flush()
  }

  /** Keep what is half written. */
  jot(conversationId: string, text: string, name: string): void {
    void this.#desk.write(conversationId, text, name)
  }

  /** Throw away what was written in a conversation and not sent. */
  async forgo(conversationId: string): Promise<void> {
    const drafts = waiting(this.outbox, conversationId)
    await Promise.all(drafts.map((draft) => this.discard(draft.client_id)))
    await this.tray.clear(conversationId)
    await this.#desk.write(conversationId, "", "")
    this.#changed()
  }

  /** Try once more to send a message that was refused; its photos as they are, if that is wanted. */
  async again(conversationId: string, clientId: string, asItIs = false): Promise<void> {
    const draft = this.outbox.find((each) => each.client_id === clientId)
    await this.#mailbox.retry(clientId, asItIs)
    this.room(conversationId)?.flush()
    if (asItIs && draft) await this.uploads.cancel(draft)
  }

  /** Throw a draft away, and what the server has of its files by now. */
  async discard(clientId: string): Promise<void> {
    const draft = this.outbox.find((each) => each.client_id === clientId)
    await this.#mailbox.remove(clientId)
    if (draft) await this.uploads.cancel(draft)
  }

  /** Make a conversation, or find the one that there is. */
  async converse(kind: "self" | "direct" | "group" | "family", details: object): Promise<Conversation> {
    const conversation = await this.session.ask<Conversation>("POST", `/conversations/${kind}`, details)
    this.#open(conversation)
    return conversation
  }

  /** Make a link that lets one person into a family. */
  async invite(familyId: string): Promise<string> {
    const made = await this.session.ask<{ token: string; url: string }>("POST", `/families/${familyId}/invites`, {})
    return invitationLink(location, made.token, made.url)
  }

  /** Change a conversation, or how it is seen, and show what the server makes of it. */
  async change(method: "PUT" | "PATCH" | "POST" | "DELETE", path: string, details?: object): Promise<void> {
    const conversation = await this.session.ask<Conversation>(method, `/conversations/${path}`, details)
    this.#open(conversation)
  }

  /** Put somebody out of a group. */
  async remove(conversationId: string, userId: string): Promise<void> {
    await this.session.ask("DELETE", `/conversations/${conversationId}/members/${userId}`)
  }

  /** Leave a group. */
  async leave(conversationId: string): Promise<void> {
    this.#leaving.add(conversationId)
    try {
      await this.remove(conversationId, this.me.id)
    } catch (error) {
      this.#leaving.delete(conversationId)
      throw error
    }
    this.#shut(conversationId)
  }

  readonly #flush = () => void this.#recall.flush()

  #remember({ conversations, timelines, around }: Recalled): void {
    if (around) this.circle.remember(around)
    for (const conversation of conversations) this.#open(conversation, timelines.get(conversation.id))
    this.ready = conversations.length > 0
    this.#changed()
  }

  #hearNews(): void {
    const news: Channel = this.#link.socket.channel(`user:${this.me.id}`)
    const take = ({ conversation }: { conversation: Conversation }) => {
      const before = this.conversation(conversation.id)?.members ?? []
      this.#open(conversation)
      // Somebody new has a name to be learned, and the name of somebody who is gone is perhaps to be forgotten.
      const there = conversation.members.map((member) => member.user_id)
      const changed =
        there.some((id) => !this.circle.people.has(id)) || before.some(({ user_id }) => !there.includes(user_id))
      if (changed) void this.#lookAround()
    }
    news.on("conversation_created", take)
    news.on("conversation_updated", take)
    news.on("conversation_left", ({ conversation_id }: { conversation_id: string }) => this.#shut(conversation_id))
    news.on("person_updated", ({ person }: { person: Person }) => void this.circle.seeAnew(person))
    news.on("unread", ({ conversation_id, unread }: { conversation_id: string; unread: number }) => {
      this.shelf = setUnread(this.shelf, conversation_id, unread)
      this.#learned(conversation_id)
      if (unread > 0 && !this.conversation(conversation_id)) void this.#lookAround()
      this.#changed()
    })
    // What happened while nobody listened here is not told again: look at everything anew after each join.
    news.join().receive("ok", () => void this.#lookAround())
  }

  async #lookAround(): Promise<void> {
    if (this.#stopped) return
    try {
      await this.#see()
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
      setTimeout(() => void this.#lookAround(), LOOK_AGAIN_MS)
    }
  }

  async #see(): Promise<void> {
    const conversations = await this.#all()
    for (const gone of this.shelf.filter((known) => !conversations.some((each) => each.id === known.id))) {
      this.#shut(gone.id)
    }
    for (const conversation of conversations) this.#open(conversation)
    await this.circle.look(() => this.shelf)
    this.ready = true
    this.#changed()
  }

  /** All conversations, also those that were put away. */
  async #all(): Promise<Conversation[]> {
    const shelves = ["", "?hidden=true", "?archived=true", "?hidden=true&archived=true"].map((which) =>
      this.session.ask<{ conversations: Conversation[] }>("GET", `/conversations${which}`),
    )
    return (await Promise.all(shelves)).flatMap(({ conversations }) => conversations)
  }

  #open(conversation: Conversation, kept?: KeptTimeline): void {
    this.shelf = put(this.shelf, conversation)
    this.gone = new Map([...this.gone].filter(([id]) => id !== conversation.id))
    if (conversation.last_message) void this.reader.take([conversation.last_message])
    if (!this.#rooms.has(conversation.id)) {
      const room = new Room(conversation, this.#surroundings(), kept)
      this.#rooms.set(conversation.id, room)
      room.join()
    }
    this.#learned(conversation.id)
    this.#changed()
  }

  /** This person is not in a conversation any more. What was still to be sent there waits for a decision. */
  #shut(id: string): void {
    const conversation = this.conversation(id)
    if (conversation === undefined) return
    if (!this.#leaving.delete(id)) this.gone = new Map(this.gone).set(id, conversation)
    this.#rooms.get(id)?.leave()
    this.#rooms.delete(id)
    this.shelf = drop(this.shelf, id)
    for (const draft of waiting(this.outbox, id)) void this.#mailbox.refuse(draft.client_id, "not_found")
    this.#learned(id)
    this.#changed()
  }

  #learned(id: string): void {
    this.#recall.note(id, () => {
      const [conversation, room] = [this.conversation(id), this.room(id)]
      return conversation && room && { conversation, timeline: room.timeline, receipts: room.receipts }
    })
  }

  /** Something waits here, perhaps from another tab: whoever has the turn sends it. */
  #outboxChanged(): void {
    for (const room of this.#rooms.values()) room.flush()
    this.#changed()
  }

  #surroundings(): Surroundings {
    return {
      socket: this.#link.socket,
      me: this.me.id,
      mailbox: this.#mailbox,
      uploads: this.uploads,
      reader: this.reader,
      changed: () => this.#changed(),
      learned: (id) => this.#learned(id),
      arrived: (message) => this.#arrived(message),
      amended: (messages) => this.#amended(messages),
      shut: (id) => this.#shut(id),
    }
  }

  #arrived(message: Message): void {
    this.shelf = said(this.shelf, message)
    this.#learned(message.conversation_id)
    if (message.user_id !== this.me.id) this.latest = message
    this.#changed()
  }

  #amended(messages: readonly Message[]): void {
    this.quotes.amend(messages)
    for (const message of messages) this.shelf = amended(this.shelf, message)
  }

  #changed(): void {
    if (this.#told) return
    this.#told = true
    queueMicrotask(() => {
      this.#told = false
      for (const listener of this.#listeners) listener(this)
    })
  }
}
