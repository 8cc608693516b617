/** Devices with encrypted conversations on a simulated server. */
import { DeviceEngine, type Decrypted, type EncryptedBody, type ReceivedBody } from "../crypto/device-engine"
import { GroupSync, type GroupStatus } from "../sync/group-sync"
import { SimulatedServer } from "./group-server"

export const KITCHEN = "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f20"

/** A tab of a device. */
export class TestTab {
  readonly sync: GroupSync

  constructor(
    readonly server: SimulatedServer,
    readonly engine: DeviceEngine,
    readonly userId: string,
    readonly deviceId: string,
    readonly conversationId = KITCHEN,
  ) {
    const participants = () => this.participants
    const noPause = async () => undefined
    const lastSeq = () => server.lastSeq
    this.sync = new GroupSync(conversationId, engine, server.as(deviceId), participants, lastSeq, noPause)
  }

  get participants(): string[] {
    return [...(this.server.participants.get(this.conversationId) ?? [])]
  }

  /** Sends a message as the sender does. Returns the stored message, or the status of the group if it cannot be sent. */
  async send(text: string, clientId = "00112233445566778899aabbccddeeff"): Promise<ReceivedBody | GroupStatus> {
    const { conversationId, userId } = this
    for (let attempt = 0; attempt < 5; attempt++) {
      const status = await this.sync.prepareToSend()
      if (status.kind !== "ready") return status
      const encrypted = await this.engine.encrypt("message", conversationId, clientId, { text }, this.participants)
      if (!encrypted || !this.server.storesMessage(conversationId, encrypted)) continue
      this.server.lastSeq += 1
      return received(conversationId, userId, clientId, encrypted)
    }
    throw new Error("the message was never stored")
  }

  async read(message: ReceivedBody): Promise<string | number> {
    await this.sync.catchUp()
    return readable(await this.engine.decrypt(message))
  }
}

export async function signIn(server: SimulatedServer, userId: string, deviceId = `${userId}-phone`): Promise<TestTab> {
  const engine = await DeviceEngine.open(userId, deviceId, false)
  const { packages, lastResort } = await engine.createKeyPackages(2)
  server.publish(userId, deviceId, await engine.publishedKeys(), packages, lastResort)
  return new TestTab(server, engine, userId, deviceId)
}

/** Opens another tab of a device. */
export async function openTab({ server, userId, deviceId }: TestTab): Promise<TestTab> {
  return new TestTab(server, await DeviceEngine.open(userId, deviceId, false), userId, deviceId)
}

export function received(
  conversationId: string,
  userId: string,
  subject: string,
  { body, encryption_version, key_id, sender_device_id }: EncryptedBody,
): ReceivedBody {
  const message = { kind: "message", conversationId, messageId: `id of ${subject}`, isCurrent: true } as const
  return { ...message, userId, subject, body, encryption_version, key_id, sender_device_id }
}

/** Returns the text, or the number of the error. */
export function readable(decrypted: Decrypted): string | number {
  if (decrypted.kind === "content") return decrypted.content.text
  return decrypted.kind === "failed" ? decrypted.code : decrypted.kind
}
