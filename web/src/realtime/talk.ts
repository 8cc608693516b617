/** Everything that one signed-in person sees: conversations, people, what is waiting, and how the connection is. */
import type { Channel } from "phoenix"

import { seal } from "../crypto/seal"
import { add, remove, retry, type Outbox } from "../models/outbox"
import { know, type People } from "../models/people"
import { drop, put, said, setUnread, type Shelf } from "../models/shelf"
import { ApiError, Unreachable } from "./api"
import { Link, type LinkState } from "./link"
import { Mailbox } from "./mailbox"
import { Reader } from "./reader"
import { Room, type Surroundings } from "./room"
import type { Session } from "./session"
import type { Conversation, Family, Member, Message } from "./shapes"
import { randomId } from "./turn"

const LOOK_AGAIN_MS = 3_000

export class Talk {
  readonly me: { readonly id: string; readonly username: string }
  readonly reader: Reader
  shelf: Shelf = []
  people: People = new Map()
  families: readonly Family[] = []
  /** The people of each family. */
  households: ReadonlyMap<string, readonly Member[]> = new Map()
  /** Whether the conversations are here yet. */
  ready = false
  /** The newest message that came in live from somebody else. */
  latest: Message | undefined
  readonly #rooms = new Map<string, Room>()
  readonly #listeners = new Set<(talk: Talk) => void>()
  readonly #link: Link
  readonly #mailbox: Mailbox
  #told = false
  #stopped = false

  constructor(readonly session: Session) {
    const changed = () => this.#changed()
    this.me = session.user
    this.people = know(this.people, [{ user_id: this.me.id, username: this.me.username }])
    this.reader = new Reader(changed)
    this.#mailbox = new Mailbox(this.me.id, changed)
    this.#link = new Link(session, changed)
  }

  get link(): LinkState {
    return this.#link.state
  }

  get outbox(): Outbox {
    return this.#mailbox.drafts
  }

  async start(): Promise<void> {
    this.#hearNews()
    await this.#link.open()
  }

  stop(): void {
    this.#stopped = true
    this.#link.close()
    this.#listeners.clear()
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

  /** Write a message. It is kept on this device before anything else happens to it. */
  async write(conversationId: string, text: string): Promise<void> {
    const sealed = await seal(text)
    const draft = {
      client_id: randomId(),
      conversation_id: conversationId,
      text,
      sealed,
      written_at: new Date().toISOString(),
    }
    this.#mailbox.change((outbox) => add(outbox, draft))
    this.room(conversationId)?.flush()
  }

  /** Try once more to send a message that was refused. */
  again(conversationId: string, clientId: string): void {
    this.#mailbox.change((outbox) => retry(outbox, clientId))
    this.room(conversationId)?.flush()
  }

  discard(clientId: string): void {
    this.#mailbox.change((outbox) => remove(outbox, clientId))
  }

  /** Make a conversation, or find the one that there is. */
  async converse(kind: "self" | "direct" | "group" | "family", details: object): Promise<Conversation> {
    const conversation = await this.session.ask<Conversation>("POST", `/conversations/${kind}`, details)
    this.#open(conversation)
    return conversation
  }

  /** Make a link that lets one person into a family. */
  async invite(familyId: string): Promise<string> {
    const invite = await this.session.ask<{ token: string }>("POST", `/families/${familyId}/invites`, {})
    return `${location.origin}/invite#${invite.token}`
  }

  #hearNews(): void {
    const news: Channel = this.#link.socket.channel(`user:${this.me.id}`)
    const take = ({ conversation }: { conversation: Conversation }) => {
      this.#open(conversation)
      if (conversation.members.some((member) => !this.people.has(member.user_id))) void this.#lookAround()
    }
    news.on("conversation_created", take)
    news.on("conversation_updated", take)
    news.on("conversation_left", ({ conversation_id }: { conversation_id: string }) => this.#shut(conversation_id))
    news.on("unread", ({ conversation_id, unread }: { conversation_id: string; unread: number }) => {
      this.shelf = setUnread(this.shelf, conversation_id, unread)
      // A hidden conversation comes back with the next message.
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
    const { conversations } = await this.session.ask<{ conversations: Conversation[] }>("GET", "/conversations")
    for (const gone of this.shelf.filter((known) => !conversations.some((each) => each.id === known.id))) {
      this.#shut(gone.id)
    }
    for (const conversation of conversations) this.#open(conversation)
    await this.#meet()
    this.ready = true
    this.#changed()
  }

  async #meet(): Promise<void> {
    const { families } = await this.session.ask<{ families: Family[] }>("GET", "/families")
    const homes = await Promise.all(
      families.map(async (family) => {
        const { members } = await this.session.ask<{ members: Member[] }>("GET", `/families/${family.id}/members`)
        return [family.id, members] as const
      }),
    )
    this.families = families
    this.households = new Map(homes)
    for (const [, members] of homes) this.people = know(this.people, members)
    this.#changed()
  }

  #open(conversation: Conversation): void {
    this.shelf = put(this.shelf, conversation)
    if (conversation.last_message) void this.reader.take([conversation.last_message])
    if (!this.#rooms.has(conversation.id)) {
      const room = new Room(conversation, this.#surroundings())
      this.#rooms.set(conversation.id, room)
      room.join()
    }
    this.#changed()
  }

  #shut(id: string): void {
    this.#rooms.get(id)?.leave()
    this.#rooms.delete(id)
    this.shelf = drop(this.shelf, id)
    this.#changed()
  }

  #surroundings(): Surroundings {
    return {
      socket: this.#link.socket,
      me: this.me.id,
      mailbox: this.#mailbox,
      reader: this.reader,
      changed: () => this.#changed(),
      arrived: (message) => this.#arrived(message),
      shut: (id) => this.#shut(id),
    }
  }

  #arrived(message: Message): void {
    this.shelf = said(this.shelf, message)
    if (message.user_id !== this.me.id) this.latest = message
    this.#changed()
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
