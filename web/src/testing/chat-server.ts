/** A Famichat server in memory: accounts, conversations and their histories, over HTTP and Phoenix channels. */
import { conversation, message } from "../models/fixtures"
import type {
  ChangePage,
  ConversationSummary,
  JoinReply,
  Message,
  MessagePage,
  Receipt,
  SessionView,
  SendReply,
} from "../api/types"
import { HttpServer, problem } from "./http-server"
import { PhoenixServer, type ClientFrame } from "./phoenix-server"

/** The messages that a page holds at most: of a join reply and of changes. */
const REPLY_LIMIT = 50
/** The messages that a page of the HTTP API holds at most. */
const MAX_PAGE = 200
const ACCESS_SECONDS = 600

interface Position {
  readonly last_seq?: number
  readonly last_change?: number
  readonly epoch?: string
}

interface Range {
  readonly after_seq?: number
  readonly before_seq?: number
  readonly limit: number
}

/** One conversation and its history, as the server stores them. */
export class ServerConversation {
  epoch = "e1"
  receipts: Receipt[] = []
  lastChange = 0
  messages: Message[] = []
  readonly #details: Partial<ConversationSummary>

  constructor(
    readonly id: string,
    private readonly phoenix: PhoenixServer,
    messageCount: number,
    details: Partial<ConversationSummary> = {},
  ) {
    this.#details = details
    this.messages = Array.from({ length: messageCount }, (_, index) => this.#message(index + 1, {}))
  }

  get topic(): string {
    return `message:${this.summary.type}:${this.id}`
  }

  get summary(): ConversationSummary {
    return conversation(this.id, {
      epoch: this.epoch,
      last_seq: this.messages.length,
      last_change: this.lastChange,
      last_message: this.messages.at(-1) ?? null,
      ...this.#details,
    })
  }

  /** Stores a message, and broadcasts it unless `silent`. */
  add(details: Partial<Message> = {}, silent = false): Message {
    const added = this.#message(this.messages.length + 1, details)
    this.messages.push(added)
    if (!silent) this.phoenix.push(this.topic, "new_msg", added)
    return added
  }

  /** Changes a message, and broadcasts it unless `silent`. */
  change(seq: number, details: Partial<Message>, silent = false): Message {
    const changed = { ...this.#at(seq), ...details, change: (this.lastChange += 1) }
    this.messages[seq - 1] = changed
    if (!silent) this.phoenix.push(this.topic, "message_updated", changed)
    return changed
  }

  joined({ last_seq: last = 0, last_change: lastChange = 0, epoch }: Position): JoinReply {
    const recovered = epoch === this.epoch
    const page = recovered ? this.fetch({ after_seq: last, limit: REPLY_LIMIT }) : this.fetch({ limit: REPLY_LIMIT })
    const { changes, has_more } = recovered ? this.changesAfter(lastChange) : { changes: [], has_more: false }
    return {
      ...page,
      conversation: this.summary,
      encryption_status: this.summary.encryption_status,
      epoch: this.epoch,
      last_seq: this.messages.length,
      recovered,
      last_change: this.lastChange,
      changes,
      has_more_changes: has_more,
      receipts: this.receipts,
    }
  }

  fetch({ after_seq: after, before_seq: before = Infinity, limit }: Range): MessagePage {
    if (after !== undefined) {
      const newer = this.messages.filter(({ seq }) => seq > after)
      return { messages: newer.slice(0, limit), has_more: newer.length > limit }
    }
    const older = this.messages.filter(({ seq }) => seq < before)
    return { messages: older.slice(-limit), has_more: older.length > limit }
  }

  changesAfter(after: number): ChangePage {
    const changed = this.messages.filter(({ change }) => change > after).sort((a, b) => a.change - b.change)
    const changes = changed.slice(0, REPLY_LIMIT)
    return { changes, has_more: changed.length > REPLY_LIMIT, last_change: this.lastChange }
  }

  /** Stores what a client sends, once per `client_id`, and returns the reply. */
  store({ payload }: ClientFrame, userId: string): SendReply {
    const { client_id, body, attachment_ids: _, ...details } = payload
    const known = this.messages.find((each) => each.client_id === client_id)
    const stored = known ?? this.add({ user_id: userId, client_id, body, ...details })
    return { message_id: stored.message_id, seq: stored.seq, inserted_at: stored.inserted_at }
  }

  #message(seq: number, details: Partial<Message>): Message {
    return message(seq, {
      conversation_id: this.id,
      message_id: `${this.id}-m${seq}`,
      client_id: `s${seq}`,
      ...details,
    })
  }

  #at(seq: number): Message {
    const found = this.messages[seq - 1]
    if (found === undefined) throw new Error(`no message ${seq} in ${this.id}`)
    return found
  }
}

export class ChatServer {
  readonly http = new HttpServer()
  readonly phoenix = new PhoenixServer()
  readonly conversations = new Map<string, ServerConversation>()
  #tokens = 0

  constructor(readonly userId = "maja") {
    this.http.install()
    this.phoenix.install()
    this.http.on("GET /conversations", ({ query }) => this.#page(new URLSearchParams(query)))
    this.http.on("GET /conversations/:id", ({ path }) => {
      return this.conversations.get(path.split("/").at(-1) ?? "")?.summary ?? problem(404, "not_found")
    })
    this.http.on("GET /conversations/:id/messages", ({ path, query }) => {
      const values = Object.fromEntries([...new URLSearchParams(query)].map(([name, value]) => [name, Number(value)]))
      return this.#at(path)?.fetch({ limit: MAX_PAGE, ...values }) ?? problem(404, "not_found")
    })
    this.http.on("GET /conversations/:id/changes", ({ path, query }) => {
      const after = Number(new URLSearchParams(query).get("after_change"))
      return this.#at(path)?.changesAfter(after) ?? problem(404, "not_found")
    })
    this.http.on("GET /families", () => ({ families: [{ id: "sundqvist", name: "Sundqvist", role: "admin" }] }))
    this.http.on("GET /families/:id/members", () => ({ members: [{ ...person("inga"), role: "member" }] }))
    this.http.on("GET /people", () => ({ people: ["maja", "inga", "nils"].map(person) }))
    this.http.on("GET /me", () => person(this.userId))
    this.http.on("POST /sessions/refresh", () => this.sessionView())
    this.http.on("POST /socket/longpoll", () => ({ status: 410 }))
    this.http.on("DELETE /sessions/current", () => new Response(null, { status: 204 }))
    const { phoenix } = this
    phoenix.handle(/^user:/, "attention", () => ({}))
    phoenix.handle(/^user:/, "notified", () => ({}))
    phoenix.handle(/^user:/, "message_acks", () => ({}))
    phoenix.handle(/^message:/, "phx_join", (frame) => this.#of(frame).joined(frame.payload))
    phoenix.handle(/^message:/, "fetch", (frame) => this.#of(frame).fetch(frame.payload))
    phoenix.handle(/^message:/, "fetch_changes", (frame) => this.#of(frame).changesAfter(frame.payload.after_change))
    phoenix.handle(/^message:/, "message_ack", () => ({}))
    phoenix.handle(/^message:/, "new_msg", (frame) => this.#of(frame).store(frame, this.userId))
  }

  /** Adds a conversation with `messageCount` messages from Inga. */
  add(id: string, messageCount = 0, details: Partial<ConversationSummary> = {}): ServerConversation {
    const added = new ServerConversation(id, this.phoenix, messageCount, details)
    this.conversations.set(id, added)
    return added
  }

  /** New tokens, each with a number: `access1` and `refresh1` first. */
  sessionView(expiresIn = ACCESS_SECONDS): SessionView {
    this.#tokens += 1
    return {
      access_token: `access${this.#tokens}`,
      refresh_token: `refresh${this.#tokens}`,
      expires_in: expiresIn,
      user: { id: this.userId, username: this.userId, display_name: null, color: null, picture: null },
      device_id: "laptop",
    }
  }

  /** Sends an event of the user channel. */
  pushToUser(event: string, payload: object): void {
    this.phoenix.push(`user:${this.userId}`, event, payload)
  }

  /** One page of the conversations; the cursor is the number of those before it. */
  #page(query: URLSearchParams): object {
    const hidden = query.get("hidden") === "true"
    const archived = query.get("archived") === "true"
    const [start, limit] = [Number(query.get("cursor") ?? 0), Number(query.get("limit"))]
    const listed = [...this.conversations.values()]
      .map(({ summary }) => summary)
      .filter((each) => each.hidden === hidden && each.archived === archived)
    const next = start + limit
    return { conversations: listed.slice(start, next), next_cursor: next < listed.length ? String(next) : null }
  }

  /** The conversation of a path below `/conversations/:id`. */
  #at(path: string): ServerConversation | undefined {
    return this.conversations.get(path.split("/")[2] ?? "")
  }

  #of({ topic }: ClientFrame): ServerConversation {
    const found = [...this.conversations.values()].find((each) => each.topic === topic)
    if (found === undefined) throw new Error(`no conversation has the topic ${topic}`)
    return found
  }
}

export function person(id: string) {
  return { user_id: id, username: id, display_name: null, color: null, picture: null }
}
