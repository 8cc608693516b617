/** Encrypts and decrypts messages of conversations, and keeps their MLS groups up to date as far as that takes. */
import type { Decrypted, EncryptedBody, ReceivedBody } from "../crypto/device-engine"
import { UNKNOWN_KEY, UNTRUSTED } from "../crypto/failures"
import type { MessageContent } from "../crypto/content"
import type { RemoteEngine } from "../crypto/engine-port"
import { isBefore, parseKeyId } from "../crypto/keyring"
import { GroupSync, type GroupServer, type GroupStatus } from "./group-sync"

export type Engine = Pick<
  RemoteEngine,
  | "learn"
  | "canEncrypt"
  | "position"
  | "pendingEpoch"
  | "catchUp"
  | "join"
  | "prepareJoin"
  | "prepareCreation"
  | "prepareCommit"
  | "drop"
  | "encrypt"
  | "decrypt"
>

/** Another device than the next sender's reconciles the roster after a random time of at most this. */
const RECONCILE_WITHIN_MS = 10_000
/** How often a commit of another device may come between joining an epoch and encrypting for it. */
const MAX_ATTEMPTS = 5

export class EncryptedConversations {
  readonly #groups = new Map<string, GroupSync>()
  readonly #following = new Map<string, Promise<GroupStatus>>()
  /** Conversations whose roster this device will reconcile. */
  readonly #reconciling = new Set<string>()
  /** Users whose keys were fetched to verify a message. */
  readonly #verified = new Set<string>()

  /**
   * @param engine starts the engine at the first time
   * @param participants the users whom the client displays as participants of a conversation
   * @param lastSeq the `seq` of the newest message of a conversation that the client knows
   * @param pause waits a random time of at most so many milliseconds
   */
  constructor(
    private readonly engine: () => Promise<Engine>,
    private readonly server: GroupServer,
    private readonly participants: (conversationId: string) => readonly string[],
    private readonly lastSeq: (conversationId: string) => number,
    private readonly pause: (atMost: number) => Promise<void>,
  ) {}

  /**
   * Encrypts a message or an edit for the present members. Must be called again when the server answers `epoch_changed`.
   *
   * @param subject the `client_id` of a message, or the id of the edited message
   * @returns what to send, or why nothing can be sent
   */
  async encrypt(
    kind: "message" | "edit",
    conversationId: string,
    subject: string,
    content: MessageContent,
  ): Promise<EncryptedBody | Exclude<GroupStatus, { kind: "ready" }>> {
    const [engine, group] = [await this.engine(), await this.#group(conversationId)]
    await this.#following.get(conversationId)?.catch(() => undefined) // Both would make the same commit.
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const status = await group.prepareToSend()
      if (status.kind !== "ready") return status
      const body = await engine.encrypt(kind, conversationId, subject, content, this.participants(conversationId))
      if (body) return body
    }
    return { kind: "untrusted" }
  }

  /** Decrypts and verifies a message. Fetches the commits and device keys that it needs. */
  async decrypt(received: ReceivedBody): Promise<Decrypted> {
    const engine = await this.engine()
    let decrypted = await engine.decrypt(received)
    if (isFailure(decrypted, UNKNOWN_KEY) && (await this.isNewer(received))) {
      await this.follow(received.conversationId)
      decrypted = await engine.decrypt(received)
    }
    if (isFailure(decrypted, UNTRUSTED) && !this.#verified.has(received.userId)) {
      this.#verified.add(received.userId)
      await engine.learn(await this.server.users([received.userId]))
      decrypted = await engine.decrypt(received)
    }
    return decrypted
  }

  /**
   * Returns after which `seq` all messages can be read by the participants only; undefined unless this device is a member
   * and all other members are certified devices of participants.
   */
  async ready(conversationId: string): Promise<{ kind: "ready"; since: number } | undefined> {
    const engine = await this.engine()
    const position = await engine.position(conversationId)
    const isReady = position?.isMember && (await engine.canEncrypt(conversationId, this.participants(conversationId)))
    return isReady ? { kind: "ready", since: position.encryptedSince } : undefined
  }

  /** Brings this device into the newest epoch, for example after `epoch_changed` or `welcome`. */
  async follow(conversationId: string): Promise<GroupStatus> {
    const present = this.#following.get(conversationId)
    if (present) return await present
    const following = this.#group(conversationId).then((group) => group.follow())
    this.#following.set(conversationId, following)
    try {
      const status = await following
      if (status.kind === "ready" && status.needsCommit) void this.#reconcileLater(conversationId)
      return status
    } finally {
      this.#following.delete(conversationId)
    }
  }

  /** Most devices that notice it find afterwards that another one was faster. */
  async #reconcileLater(conversationId: string): Promise<void> {
    if (this.#reconciling.has(conversationId)) return
    this.#reconciling.add(conversationId)
    await this.pause(RECONCILE_WITHIN_MS)
    this.#reconciling.delete(conversationId)
    const group = await this.#group(conversationId)
    await group.reconcile().catch(() => undefined) // otherwise the next sender does it
  }

  /** Whether a message is of an epoch that this device has not reached. It cannot get the keys of earlier ones. */
  async isNewer({ conversationId, key_id }: ReceivedBody): Promise<boolean> {
    const epoch = parseKeyId(key_id ?? "")
    const position = await (await this.engine()).position(conversationId)
    return epoch !== null && (!position?.isMember || isBefore(position, epoch))
  }

  async #group(conversationId: string): Promise<GroupSync> {
    const engine = await this.engine()
    const known = this.#groups.get(conversationId)
    if (known) return known
    const participants = () => this.participants(conversationId)
    const lastSeq = () => this.lastSeq(conversationId)
    const group = new GroupSync(conversationId, engine, this.server, participants, lastSeq, this.pause)
    this.#groups.set(conversationId, group)
    return group
  }
}

function isFailure(decrypted: Decrypted, code: number): boolean {
  return decrypted.kind === "failed" && decrypted.code === code
}
