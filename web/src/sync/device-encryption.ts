/** The part of `Encryption` that is loaded when it is needed: this device's keys, and the MLS groups of conversations. */
import { ApiError } from "../api/http"
import type { MessageContent } from "../crypto/content"
import type { ReceivedBody } from "../crypto/device-engine"
import { startEngine, type StartedEngine } from "../device/engine"
import { UNKNOWN_KEY } from "../crypto/failures"
import { KeyDatabase } from "../crypto/key-database"
import type { Opened, Sealed } from "../crypto/seal"
import { readForwarded } from "../crypto/forwarded"
import { publishKeyPackages, registerDevice } from "./device-registration"
import { EncryptedConversations } from "./encrypted-conversations"
import type { EncryptionContext, EncryptionState, Version } from "./encryption.svelte"
import { GroupRequests } from "./group-requests"
import type { GroupStatus } from "./group-sync"

export class DeviceEncryption {
  readonly #conversations: EncryptedConversations
  #registration: Promise<void> | undefined
  /** Whether another device must certify this one. */
  #pending: Promise<boolean> | undefined
  readonly #reported = new Set<string>()

  private constructor(
    private readonly context: EncryptionContext,
    private readonly engine: StartedEngine,
    private readonly requests: GroupRequests,
  ) {
    const participants = (id: string) => context.info(id)?.members.map(({ user_id }) => user_id) ?? []
    const lastSeq = (id: string) => context.lastSeq(id)
    this.#conversations = new EncryptedConversations(async () => engine, requests, participants, lastSeq, pause)
  }

  /** Opens the keys of this device, for which only the first start needs the server. Registers the device meanwhile. */
  static async start(context: EncryptionContext): Promise<DeviceEncryption> {
    const { user, deviceId } = context.session
    const requests = new GroupRequests((method, path, body) => context.session.request(method, path, body))
    const hasKeys = await isKnown(user.id, deviceId)
    const hasAccountKey = hasKeys || (await requests.user(user.id)).accounts.length > 0
    if (!hasKeys) void keepStorage()
    const device = new DeviceEncryption(context, await startEngine(user.id, deviceId, hasAccountKey), requests)
    device.register().catch(() => undefined) // tried again when a message is encrypted
    return device
  }

  /** Publishes the keys and key packages of this device, once. */
  register(): Promise<void> {
    this.#registration ??= this.#register().catch((error: unknown) => {
      this.#registration = undefined
      throw error
    })
    return this.#registration
  }

  async publishKeyPackages(): Promise<void> {
    await publishKeyPackages(this.engine, this.requests)
  }

  /** See `Encryption.encrypt`. */
  async encrypt(
    kind: "message" | "edit",
    conversationId: string,
    subject: string,
    content: MessageContent,
  ): Promise<Sealed> {
    await this.register()
    if (await this.#isPending()) throw new ApiError(0, "device_pending")
    const encrypt = () => this.#conversations.encrypt(kind, conversationId, subject, content)
    let encrypted = await encrypt()
    if ("kind" in encrypted && encrypted.kind === "untrusted") {
      await this.context.refresh(conversationId) // Perhaps a participant has just come or gone.
      encrypted = await encrypt()
    }
    if ("kind" in encrypted) throw new ApiError(0, CODES[encrypted.kind])
    return encrypted
  }

  /** @param isCurrent whether it is the newest version of the message */
  async decrypt(version: Version, kind: "message" | "edit", isCurrent: boolean): Promise<Opened> {
    const received: ReceivedBody = {
      kind,
      conversationId: version.conversation_id,
      messageId: version.message_id,
      isCurrent,
      userId: version.user_id,
      subject: kind === "message" ? (version.client_id ?? "") : version.message_id,
      body: version.body ?? "",
      encryption_version: version.encryption_version,
      key_id: version.key_id,
      sender_device_id: version.sender_device_id,
    }
    if (await this.#isPending()) return { kind: "locked" }
    const decrypted = await this.#conversations.decrypt(received)
    if (decrypted.kind === "content") {
      return { kind: "text", ...decrypted.content, ...readForwarded(decrypted.content.text) }
    }
    if (decrypted.kind === "newer") return decrypted
    if (decrypted.kind === "superseded") return { kind: "locked" }
    if (decrypted.code === UNKNOWN_KEY && !(await this.#conversations.isNewer(received))) return { kind: "before" }
    this.#report(version, decrypted.code)
    return { kind: "locked" }
  }

  /** Joins the newest epoch, and returns what is true of the conversation now. */
  async state(conversationId: string): Promise<EncryptionState | undefined> {
    await this.register()
    if (await this.#isPending()) return { kind: "pending" }
    const status = await this.#conversations.follow(conversationId)
    if (status.kind === "waiting") return status
    return await this.#conversations.ready(conversationId)
  }

  /** The `seq` after which all messages are encrypted; undefined unless this device has seen the conversation's MLS group. */
  async encryptedSince(conversationId: string): Promise<number | undefined> {
    return (await this.engine.position(conversationId))?.encryptedSince
  }

  stop(): void {
    this.engine.terminate()
  }

  async #register(): Promise<void> {
    await registerDevice(this.engine, this.context.session.user.id, this.requests)
    this.#pending = undefined // Another device may have created the account key first.
    if (!(await this.#isPending())) await this.publishKeyPackages()
  }

  #isPending(): Promise<boolean> {
    this.#pending ??= this.engine.publishedKeys().then(({ certificate }) => certificate === null)
    return this.#pending
  }

  #report({ conversation_id, message_id }: Version, code: number): void {
    if (this.#reported.has(message_id)) return
    this.#reported.add(message_id)
    this.context.report(conversation_id, message_id, code)
  }
}

/** Why nothing can be encrypted. */
const CODES: Record<Exclude<GroupStatus["kind"], "ready">, string> = {
  waiting: "encryption_not_ready",
  untrusted: "untrusted_device",
}

/** Whether this device has opened its keys before. */
async function isKnown(userId: string, deviceId: string): Promise<boolean> {
  const keys = new KeyDatabase(userId)
  try {
    return (await keys.device())?.deviceId === deviceId
  } finally {
    await keys.close()
  }
}

/** Asks the browser to keep the keys when space is short. Over plain HTTP it cannot be asked. */
async function keepStorage(): Promise<void> {
  const { storage } = navigator as { readonly storage?: Pick<StorageManager, "persist"> }
  await storage?.persist().catch(() => false)
}

async function pause(atMost: number): Promise<void> {
  await new Promise((done) => setTimeout(done, Math.random() * atMost))
}
