/**
 * The client of one signed-in user: the conversations, the contacts, the outbox and the connection.
 *
 * State is reactive (Svelte runes) at the place where it lives: per conversation in `Conversation`, per message in
 * `MessageReader` and `Uploads`, per picture in `AvatarCache`. A view runs again only when something that it reads changes.
 */
import type { Channel } from "phoenix"
import { SvelteMap } from "svelte/reactivity"

import { wellFormed } from "../api/json"
import { seal } from "../crypto/seal"
import { BlobStore } from "../device/blobs"
import { Drafts } from "../device/drafts.svelte"
import { LocalDatabase, type CachedTimeline, type DatabaseState } from "../device/database"
import { OutboxStore } from "../device/outbox-store"
import { RecordingStore } from "../device/recording-store"
import { OfflineCache, type CachedState } from "../device/offline-cache"
import { TabChannel } from "../device/tab-channel"
import { blobKeys, MAX_FILES, withoutUpload, type PendingAttachment } from "../models/messages/attachments"
import { asForwarded } from "../crypto/forwarded"
import { invitationLink } from "../models/people/invitation"
import { refusedChoices, waitingIn, type OutgoingMessage, type Outbox } from "../models/messages/outbox"
import {
  isSameInfo,
  withChangedMessage,
  without,
  upsert,
  withNewMessage,
  withUnread,
  type ConversationInfo,
  type ConversationList,
} from "../models/conversation-list"
import { MediaStore } from "../device/media-store"
import { deleteSearchTexts } from "../device/search-store"
import { Media } from "./media"
import { SignedUrlCache } from "./signed-urls"
import { ApiError, Unreachable } from "../api/http"
import { Attention, attention } from "./attention"
import { DeliveryAcks } from "./delivery-acks"
import { fetchConversation, fetchConversations } from "./conversation-pages"
import { JoinedConversations } from "./joined-conversations"
import { withdrawRead } from "../session/tab-notifications"
import { Contacts } from "./contacts.svelte"
import { Connection, type ConnectionState, type ConnectionTrouble } from "./connection.svelte"
import { ReplyPreviews } from "./reply-previews"
import { Encryption } from "./encryption.svelte"
import { MessageReader } from "./message-reader"
import type { MessageSearch } from "./message-search.svelte"
import { Conversation, type ConversationContext } from "./conversation.svelte"
import type { Session } from "../session/session"
import type {
  ConversationSummary,
  Family,
  Heads,
  LastMessage,
  MarksChanged,
  Message,
  Person,
  ResetAgreement,
  ResetAgreementUpdated,
  ResetLinkCreated,
  UserJoinReply,
} from "../api/types"
import { PendingAttachments } from "./pending-attachments"
import { randomId } from "../api/random-id"
import { UnreadCounts } from "./unread-counts"
import { Uploads } from "./uploads.svelte"

const REFRESH_RETRY_MS = 3_000
/** WebSocket close codes (RFC 6455, 7.4.1) after a frame that the server, or a proxy before it, cannot process. */
const FRAME_REFUSED = new Set([1007, 1009, 1011])

export class ChatClient {
  readonly me: { readonly id: string; readonly username: string }
  readonly reader: MessageReader
  readonly encryption: Encryption
  readonly replyPreviews: ReplyPreviews
  /** The bytes of unsent attachments. */
  readonly blobs: BlobStore
  readonly pendingAttachments: PendingAttachments
  /** Voice messages while they are recorded. */
  readonly recordings: RecordingStore
  readonly uploads: Uploads
  /** Signed URLs of received attachments. */
  readonly signedUrls: SignedUrlCache
  /** Received photos and voice messages. */
  readonly media: Media
  /** The user's contacts. */
  readonly contacts: Contacts
  /** Whether the conversations have been loaded. */
  ready = $state(false)
  /** Whether this browser stores data, so that messages survive a reload. */
  durable = $state(true)
  /** Whether another version of the client uses the same data. */
  databaseState = $state<DatabaseState>("usable")
  /** All unsent messages on this device. Those of one conversation are in `Conversation.outgoing`. */
  outbox = $state.raw<Outbox>([])
  /** The newest message that another user sent and that arrived live. */
  latestMessage = $state.raw<Message>()
  /** A link to reset the password, of which the user has not taken note. */
  resetLink = $state.raw<ResetLinkCreated>()
  /** The search in messages, once it is loaded. */
  search = $state.raw<MessageSearch>()
  /** A request of admins to reset the user's password. */
  resetAgreement = $state.raw<ResetAgreement | null>()
  /** Number of changes of such requests, also for others if the user is an admin; each one is a reason to reload them. */
  resetChanges = $state(0)
  /** The conversations that this user is no longer in, as they last were. */
  removed = $state.raw<ReadonlyMap<string, ConversationSummary>>(new Map())
  #list = $state.raw<ConversationList>([])
  /** The same by ID: a reader of one summary does not run when another changes. */
  readonly #summaries = new SvelteMap<string, ConversationSummary>()
  readonly #infos = new SvelteMap<string, ConversationInfo>()
  readonly #conversations = new SvelteMap<string, Conversation>()
  readonly #joined = new JoinedConversations()
  /** The users who are online in a joined conversation. */
  readonly online = $derived(this.#joined.online)
  readonly #connection: Connection
  readonly #database: LocalDatabase
  readonly #tabs: TabChannel
  readonly #outboxStore: OutboxStore
  readonly #drafts: Drafts
  readonly #offlineCache: OfflineCache
  readonly #mediaStore: MediaStore
  /** Conversations that the user is leaving: they need no notice of removal. */
  readonly #leaving = new Set<string>()
  readonly #unreadCounts: UnreadCounts
  #attention: Attention | undefined
  #deliveryAcks: DeliveryAcks | undefined
  /** Whether the server has listed all conversations. */
  #listed = false
  #stopped = false

  constructor(readonly session: Session) {
    this.me = session.user
    this.encryption = new Encryption({
      session,
      info: (id) => this.info(id),
      lastSeq: (id) => this.summary(id)?.last_seq ?? 0,
      refresh: (id) => this.#checkUnlisted(id),
      hasMoreKeys: (id) => void this.reader.reopen(id),
      report: (id, messageId, code) => this.conversation(id)?.reportFailure(messageId, code),
    })
    this.reader = new MessageReader(this.encryption)
    this.replyPreviews = new ReplyPreviews(session, this.reader)
    this.#database = new LocalDatabase(this.me.id, () => this.#databaseChanged())
    this.#tabs = new TabChannel(this.me.id)
    this.blobs = new BlobStore(this.me.id)
    this.recordings = new RecordingStore(this.me.id)
    this.uploads = new Uploads(session, this.blobs)
    this.signedUrls = new SignedUrlCache(session)
    this.#mediaStore = new MediaStore(this.me.id)
    this.media = new Media(this.signedUrls, this.#mediaStore)
    const removed = (message: OutgoingMessage) => void this.blobs.remove(blobKeys(message.enclosures))
    this.#outboxStore = new OutboxStore(this.#database, this.#tabs, () => this.#outboxChanged(), removed)
    this.#drafts = new Drafts(this.#database, this.#tabs)
    this.pendingAttachments = new PendingAttachments(this.#drafts, this.blobs)
    this.#offlineCache = new OfflineCache(this.#database)
    this.contacts = new Contacts(session, this.#database, this.#offlineCache)
    this.#connection = new Connection(session, () => this.uploads.interrupt())
    this.#unreadCounts = new UnreadCounts(
      (id) => this.conversation(id)?.active ?? false,
      (id, unread) => this.#setUnread(id, unread),
    )
    this.#connection.socket.onClose(({ code }) => {
      if (FRAME_REFUSED.has(code)) for (const each of this.#conversations.values()) each.frameRefused()
    })
  }

  get connection(): ConnectionState {
    return this.#connection.state
  }

  /** What to tell the user about the connection. */
  get trouble(): ConnectionTrouble | undefined {
    return this.#connection.trouble
  }

  /** The address that the server is set up for, if it refuses connections from this one. */
  get rightAddress(): string | undefined {
    return this.#connection.trouble === "wrong_address" ? this.#connection.address : undefined
  }

  /** The conversations, the one with the newest message first. */
  get conversations(): ConversationList {
    return this.#list
  }

  /** The drafts, by conversation ID. */
  get drafts(): Pick<Drafts, "get"> {
    return this.#drafts
  }

  /** Drafts in conversations that the user is no longer in, so that they are not lost. */
  get unsentInRemoved(): readonly { readonly id: string; readonly name: string }[] {
    if (!this.ready) return []
    const ids = [...this.#drafts.ids, ...this.outbox.map((message) => message.conversation_id)]
    const removedIds = [...new Set(ids)].filter((id) => this.summary(id) === undefined)
    return removedIds.map((id) => ({ id, name: this.removed.get(id)?.name ?? this.drafts.get(id)?.name ?? "" }))
  }

  /** Shows the cached state immediately, then connects to the server. */
  async start(): Promise<void> {
    const [cached] = await Promise.all([this.#offlineCache.load(), this.#outboxStore.load(), this.#drafts.load()])
    if (this.#stopped) return
    const queuedKeys = this.outbox.flatMap((message) => blobKeys(message.enclosures))
    void this.blobs.removeUnused(new Set([...queuedKeys, ...this.pendingAttachments.keys]))
    void this.pendingAttachments.check()
    void this.recordings.takeAbandoned((recording) => this.pendingAttachments.addRecording(recording))
    this.#restore(cached)
    this.#listen()
    addEventListener("visibilitychange", this.#flush)
    await this.#connection.open()
  }

  /** Loads the search, which the first screen does not need, and begins to fill it. Rejects if it cannot be loaded. */
  async loadSearch(): Promise<void> {
    const { MessageSearch } = await import("./message-search.svelte")
    if (this.#stopped || this.search) return
    this.search = new MessageSearch({
      session: this.session,
      reader: this.reader,
      conversations: () => this.conversations,
      includes: (id) => this.summary(id) !== undefined,
      connected: () => this.connection === "open",
      isHidden: (id, seq) => this.conversation(id)?.marked.hidden.has(seq) ?? false,
      refresh: () => void this.#refresh(),
    })
    if (this.#listed) this.search.listed()
  }

  /** Deletes received messages after a sign-out. Unsent messages are kept. */
  async stop(): Promise<void> {
    this.#stopped = true
    removeEventListener("visibilitychange", this.#flush)
    this.#attention?.stop()
    this.#deliveryAcks?.stop()
    this.#unreadCounts.stop()
    this.#connection.close()
    this.#tabs.close()
    this.contacts.avatars.close()
    this.search?.close()
    // Together: one that takes long, or fails, keeps no other waiting.
    await Promise.all([
      deleteSearchTexts(this.me.id),
      this.encryption.stop(),
      this.#mediaStore.clear(),
      this.#offlineCache.clear().then(() => this.#database.close()),
      this.blobs.close(),
      this.recordings.close(),
    ])
  }

  conversation(id: string): Conversation | undefined {
    return this.#conversations.get(id)
  }

  /** Joins a conversation that the user looks at. */
  open(id: string): void {
    const conversation = this.#conversations.get(id)
    if (conversation) this.#joined.open(conversation)
  }

  summary(id: string): ConversationSummary | undefined {
    return this.#summaries.get(id)
  }

  /** Like `summary`, for a reader that does not run when a message arrives or is read. */
  info(id: string): ConversationInfo | undefined {
    return this.#infos.get(id)
  }

  /**
   * Writes a message. It is displayed immediately, and stored on this device before anything else. Files beyond the
   * maximum of one message go into further messages.
   */
  async send(
    id: string,
    typed: string,
    enclosures: readonly PendingAttachment[] = [],
    replyTo?: string,
  ): Promise<void> {
    const text = wellFormed(typed) // shown as it is sent
    const [first = [], ...others] = groupsOf(MAX_FILES, enclosures.map(withoutUpload))
    const messages = [
      await outgoingMessage(id, text, first, replyTo),
      ...(await Promise.all(others.map((files) => outgoingMessage(id, "", files)))),
    ]
    this.#drafts.clear(id)
    await this.#write(messages)
  }

  /** Sends a message on to another conversation. The draft there stays. */
  async forward(id: string, text: string, enclosures: readonly PendingAttachment[]): Promise<void> {
    const message = await outgoingMessage(id, asForwarded(text), enclosures)
    await this.#write([{ ...message, text, forwarded: true }])
  }

  /** For views that store something small on this device. */
  get localDatabase(): LocalDatabase {
    return this.#database
  }

  /** Saves a draft. */
  saveDraft(conversationId: string, text: string, name: string): void {
    void this.#drafts.write(conversationId, text, name)
  }

  /** Discards all unsent messages and the draft of a conversation. */
  async discardAll(conversationId: string): Promise<void> {
    const drafts = waitingIn(this.outbox, conversationId)
    await Promise.all(drafts.map((message) => this.discard(message.client_id)))
    await this.pendingAttachments.clear(conversationId)
    await this.#drafts.write(conversationId, "", "")
  }

  /** Retries a rejected message, optionally with the rejected photos unchanged. */
  async retry(conversationId: string, clientId: string, unprocessed = false): Promise<void> {
    await this.#outboxStore.retry(clientId, unprocessed)
    this.conversation(conversationId)?.flush()
  }

  /** Sends a rejected message without its rejected files. */
  async sendWithoutRefusedFiles(message: OutgoingMessage): Promise<void> {
    await this.#outboxStore.retryWithoutRefusedFiles(message.client_id)
    this.conversation(message.conversation_id)?.flush()
    await this.blobs.remove(blobKeys(refusedChoices(message).without))
  }

  /** Moves a rejected message back into the composer of its conversation, before what is there. */
  async moveToDraft(message: OutgoingMessage): Promise<void> {
    const { conversation_id: id, client_id } = message
    await this.#drafts.putBack(message, this.drafts.get(id)?.name || (this.summary(id)?.name ?? ""))
    await this.#outboxStore.takeOut(client_id)
    await this.uploads.cancel(message)
  }

  /** Discards an unsent message and its uploads on the server. */
  async discard(clientId: string): Promise<void> {
    const message = this.outbox.find((each) => each.client_id === clientId)
    await this.#outboxStore.remove(clientId)
    if (message) await this.uploads.cancel(message)
  }

  /** Creates a conversation, or returns the existing one. */
  async startConversation(kind: "self" | "direct" | "group" | "family", details: object): Promise<ConversationSummary> {
    const summary = await this.session.request<ConversationSummary>("POST", `/conversations/${kind}`, details)
    this.#add([summary])
    return summary
  }

  /** Creates an invitation link to a family for one person, who joins with this role. */
  async invite(familyId: string, role: Family["role"]): Promise<string> {
    const invite_ = await this.session.request<{ token: string; url: string }>(
      "POST",
      `/families/${familyId}/invites`,
      { role },
    )
    return invitationLink(location, invite_.token, invite_.url)
  }

  /** Changes a conversation or its view settings, and applies the server's response. */
  async updateConversation(method: "PUT" | "PATCH" | "POST" | "DELETE", path: string, details?: object): Promise<void> {
    const summary = await this.session.request<ConversationSummary>(method, `/conversations/${path}`, details)
    this.#add([summary])
  }

  /** Removes a member from a group. */
  async remove(conversationId: string, userId: string): Promise<void> {
    await this.session.request("DELETE", `/conversations/${conversationId}/members/${userId}`)
  }

  /** Blocks a person; the server then sends the changed conversations. */
  async block(userId: string): Promise<void> {
    await this.session.request("PUT", `/me/blocks/${userId}`)
  }

  async unblock(userId: string): Promise<void> {
    await this.session.request("DELETE", `/me/blocks/${userId}`)
  }

  /** Leaves a group or a direct conversation. */
  async leave(conversationId: string): Promise<void> {
    this.#leaving.add(conversationId)
    try {
      await this.remove(conversationId, this.me.id)
    } catch (error) {
      this.#leaving.delete(conversationId)
      throw error
    }
    this.#removeConversation(conversationId)
  }

  async #write(messages: readonly OutgoingMessage[]): Promise<void> {
    await this.blobs.stored(messages.flatMap(({ enclosures }) => blobKeys(enclosures)))
    await this.#outboxStore.write(...messages)
    for (const { conversation_id } of messages) this.conversation(conversation_id)?.flush()
  }

  #databaseChanged(): void {
    this.durable = this.#database.durable
    this.databaseState = this.#database.state
    // The outbox is now sent by the newer version.
    if (this.databaseState === "outdated") this.#connection.close()
  }

  #setUnread(id: string, unread: number): void {
    this.#setConversations(withUnread(this.conversations, id, unread))
    this.#cache(id)
    if (unread > 0 && !this.summary(id)) void this.#refresh()
  }

  readonly #flush = () => void this.#offlineCache.flush()

  #restore({ conversations, timelines, contacts }: CachedState): void {
    if (contacts) this.contacts.restore(contacts)
    this.#add(conversations, timelines)
    this.ready = conversations.length > 0
  }

  #listen(): void {
    const parameters = () => ({ ...attention(), last_messages: true, heads: true })
    const channel: Channel = this.#connection.socket.channel(`user:${this.me.id}`, parameters)
    const deliveryAcks = new DeliveryAcks(channel)
    this.#attention = new Attention(channel)
    this.#deliveryAcks = deliveryAcks
    const take = ({ conversation: summary }: { conversation: ConversationSummary }) => {
      const before = this.summary(summary.id)?.members ?? []
      this.#add([summary])
      // The names of new members must be loaded, and those of former members may have to be dropped.
      const memberIds = summary.members.map((member) => member.user_id)
      const changed =
        memberIds.some((id) => !this.contacts.people.has(id)) ||
        before.some(({ user_id }) => !memberIds.includes(user_id))
      if (changed) void this.#refresh()
    }
    channel.on("conversation_created", take)
    channel.on("conversation_updated", take)
    channel.on("conversation_left", ({ conversation_id }: { conversation_id: string }) =>
      this.#removeConversation(conversation_id),
    )
    channel.on("family_updated", () => void this.#refresh()) // the roles of its members
    channel.on("person_updated", ({ person }: { person: Person }) => void this.contacts.updatePerson(person))
    channel.on("reset_link_created", (created: ResetLinkCreated) => {
      this.resetLink = created
      this.resetAgreement = null
    })
    channel.on("reset_agreement_updated", ({ user_id, agreement }: ResetAgreementUpdated) => {
      if (user_id === this.me.id) this.resetAgreement = agreement
      this.resetChanges += 1
    })
    channel.on("unread", ({ conversation_id, unread }: { conversation_id: string; unread: number }) =>
      this.#unreadCounts.receive(conversation_id, unread),
    )
    channel.on("heads", ({ heads }: Heads) => {
      for (const [id, head] of Object.entries(heads)) this.#conversations.get(id)?.receiveHead(head)
    })
    channel.on("welcome", ({ conversation_id }: { conversation_id: string }) => this.encryption.follow(conversation_id))
    channel.on("key_packages_low", () => this.encryption.publishKeyPackages())
    channel.on("marks_changed", ({ conversation_id }: MarksChanged) => {
      const conversation = this.#conversations.get(conversation_id)
      if (conversation?.joined) void conversation.marked.load()
    })
    channel.on("last_message", ({ message }: LastMessage) => this.#onLastMessage(message))
    // Events are not replayed, so reload everything after each join.
    channel.join().receive("ok", ({ reset_agreement }: UserJoinReply) => {
      this.resetAgreement = reset_agreement ?? null
      deliveryAcks.joined()
      void this.#refresh()
    })
  }

  async #refresh(): Promise<void> {
    if (this.#stopped) return
    try {
      await this.#loadAll()
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
      setTimeout(() => void this.#refresh(), REFRESH_RETRY_MS)
    }
  }

  async #loadAll(): Promise<void> {
    const unlisted = new Set(this.conversations.map(({ id }) => id))
    await fetchConversations(this.session, (page) => {
      this.#add(page)
      for (const { id } of page) unlisted.delete(id)
    })
    await Promise.all([...unlisted].map((id) => this.#checkUnlisted(id)))
    this.#catchUp()
    void withdrawRead((id) => this.summary(id)?.unread === 0)
    await this.contacts.refresh(() => this.conversations)
    this.ready = true
    this.#listed = true
    this.search?.listed()
  }

  /** A known conversation is on no page: the user is no longer in it, or it became active between two pages. */
  async #checkUnlisted(id: string): Promise<void> {
    const summary = await fetchConversation(this.session, id)
    if (summary) this.#add([summary])
    else this.#removeConversation(id)
  }

  #add(summaries: ConversationList, cached?: ReadonlyMap<string, CachedTimeline>): void {
    this.contacts.expect(summaries.flatMap(({ members }) => members))
    this.#setConversations(upsert(this.conversations, ...summaries))
    if (summaries.some(({ id }) => this.removed.has(id))) {
      this.removed = new Map([...this.removed].filter(([id]) => this.summary(id) === undefined))
    }
    if (summaries.some(({ id }) => this.encryption.isRequired(id))) void this.encryption.start()
    void this.reader.open(summaries.flatMap(({ last_message }) => last_message ?? []))
    for (const summary of summaries) {
      if (!this.#conversations.has(summary.id)) {
        const conversation = new Conversation(summary, this.#context(), cached?.get(summary.id))
        this.#conversations.set(summary.id, conversation)
        if (conversation.hasUnsent) this.#joined.joinToSend(conversation)
      }
      this.#cache(summary.id)
    }
  }

  /** Handles the removal of the user from a conversation. Unsent messages are kept for the user to decide. */
  #removeConversation(id: string): void {
    const summary = this.summary(id)
    if (summary === undefined) return
    if (!this.#leaving.delete(id)) this.removed = new Map(this.removed).set(id, summary)
    const conversation = this.#conversations.get(id)
    if (conversation) this.#joined.leave(conversation)
    this.#conversations.delete(id)
    this.#setConversations(without(this.conversations, id))
    void this.#mediaStore.removeAll("conversationId", id)
    void this.search?.remove(id)
    for (const message of waitingIn(this.outbox, id)) void this.#outboxStore.refuse(message.client_id, "not_found")
    this.#cache(id)
  }

  #setConversations(list: ConversationList): void {
    if (list.length === this.#list.length && list.every((each, index) => each === this.#list[index])) return
    this.#list = list
    const ids = new Set(list.map(({ id }) => id))
    for (const id of [...this.#summaries.keys()]) {
      if (!ids.has(id)) for (const known of [this.#summaries, this.#infos]) known.delete(id)
    }
    for (const summary of list) {
      if (summary === this.#summaries.get(summary.id)) continue
      const info = this.#infos.get(summary.id)
      if (!info || !isSameInfo(info, summary)) this.#infos.set(summary.id, summary)
      this.#summaries.set(summary.id, summary)
    }
  }

  #cache(id: string): void {
    this.#offlineCache.schedule(id, () => {
      const [summary, conversation] = [this.summary(id), this.conversation(id)]
      if (!summary || !conversation) return undefined
      const { timeline, receipts, marked } = conversation
      return { conversation: summary, timeline, receipts, marks: marked.saved }
    })
  }

  /** Sends waiting messages, possibly of another tab, if this tab can claim them. */
  #outboxChanged(): void {
    this.outbox = this.#outboxStore.messages
    for (const conversation of this.#conversations.values()) {
      conversation.outboxChanged()
      if (conversation.hasUnsent) this.#joined.joinToSend(conversation)
    }
  }

  #context(): ConversationContext {
    return {
      session: this.session,
      socket: this.#connection.socket,
      me: this.me.id,
      outboxStore: this.#outboxStore,
      uploads: this.uploads,
      reader: this.reader,
      encryption: this.encryption,
      remember: (id) => this.#cache(id),
      received: (message) => this.#onMessage(message),
      changedMessages: (messages) => this.#onChanges(messages),
      removed: (id) => this.#removeConversation(id),
      members: (members) => this.#onMembers(members),
    }
  }

  /** Joins the conversations with unread messages, so that they can be read offline; acknowledges the others. */
  #catchUp(): void {
    const unread = this.conversations.filter((each) => each.unread > 0)
    this.#joined.fill(unread.flatMap(({ id }) => this.#conversations.get(id) ?? []))
    for (const { last_message } of this.conversations) if (last_message) this.#receiveLast(last_message)
    for (const { last_message } of unread) if (last_message) this.#acknowledge(last_message)
  }

  /** The newest message of a conversation that is not joined is new, or has changed. */
  #onLastMessage(message: Message): void {
    const known = this.summary(message.conversation_id)
    if (known === undefined) return void this.#refresh()
    this.#receiveLast(message)
    if (message.seq > known.last_seq) this.#onMessage(message)
    else this.#onChanges([message])
    this.#acknowledge(message)
  }

  #receiveLast(message: Message): void {
    const conversation = this.#conversations.get(message.conversation_id)
    const epoch = this.summary(message.conversation_id)?.epoch
    if (conversation?.timeline.epoch === epoch && !conversation?.joined) conversation?.receiveLast(message)
  }

  #acknowledge({ conversation_id, user_id, seq }: Message): void {
    const conversation = this.#conversations.get(conversation_id)
    if (conversation === undefined || user_id === this.me.id || this.#joined.has(conversation)) return
    this.#deliveryAcks?.add(conversation.topic, seq)
  }

  /** Loads the profiles of members at a join, if some are unknown: the event that named them may have been missed. */
  #onMembers(members: ConversationSummary["members"]): void {
    if (members.every(({ user_id }) => this.contacts.people.has(user_id))) return
    this.contacts.expect(members)
    void this.#refresh()
  }

  #onMessage(message: Message): void {
    this.#setConversations(withNewMessage(this.conversations, message))
    this.#cache(message.conversation_id)
    if (message.user_id !== this.me.id) this.latestMessage = message
  }

  #onChanges(messages: readonly Message[]): void {
    this.replyPreviews.applyChanges(messages)
    for (const { message_id, deleted_at } of messages) {
      if (deleted_at !== null) void this.#mediaStore.removeAll("messageId", message_id)
    }
    if (messages.length > 0) this.#setConversations(messages.reduce(withChangedMessage, this.conversations))
  }
}

async function outgoingMessage(
  id: string,
  text: string,
  enclosures: readonly PendingAttachment[],
  replyTo?: string,
): Promise<OutgoingMessage> {
  return {
    client_id: randomId(),
    conversation_id: id,
    text,
    sealed: await seal(text),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    written_at: new Date().toISOString(),
    ...(enclosures.length > 0 && { enclosures }),
  }
}

function groupsOf<Item>(size: number, items: readonly Item[]): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size))
}
