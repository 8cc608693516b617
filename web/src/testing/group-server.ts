/** A server of MLS groups, for tests: it follows the roster rules, accepts one commit per epoch, and can lose replies. */
import { decodeMlsMessage } from "ts-mls"
import { ratchetTreeFromExtension } from "ts-mls/groupInfo.js"

import { ApiError, Unreachable } from "../api/http"
import { toBase64url } from "../crypto/bytes"
import type { ListedKeyPackage, LoggedCommit, PublishedKeys } from "../crypto/device-engine"
import type { ListedUser } from "../crypto/trust"
import { sha256 } from "../crypto/suite"
import type { GroupServer, ServerCommit, ServerGroup, ServerWelcome } from "../sync/group-sync"

interface Device {
  readonly userId: string
  readonly deviceId: string
  readonly keys: PublishedKeys
  packages: Uint8Array[]
  lastResort: Uint8Array | null
  isRevoked: boolean
}

interface Leaf {
  readonly index: number
  readonly userId: string
  readonly deviceId: string
}

interface Group {
  readonly generation: number
  /** Null after a restore. */
  epoch: number | null
  sinceSeq: number
  groupInfo: Uint8Array
  leaves: readonly Leaf[]
}

interface Logged extends LoggedCommit {
  readonly generation: number
}

/** A conversation with its participants. */
export class SimulatedServer {
  readonly participants = new Map<string, Set<string>>()
  readonly devices = new Map<string, Device>()
  readonly groups = new Map<string, Group>()
  readonly logs = new Map<string, Logged[]>()
  #welcomes: (ServerWelcome & { readonly deviceId: string })[] = []
  readonly #claimed = new Map<string, ListedKeyPackage>()
  lastSeq = 0
  /** Called before a commit is checked. */
  beforeCommit: () => Promise<void> = async () => undefined
  /** Called when a commit was accepted. */
  afterCommit: () => void = () => undefined
  /** Whether the reply to the next accepted commit is lost. */
  losesReply = false

  publish(userId: string, deviceId: string, keys: PublishedKeys, packages: Uint8Array[], lastResort: Uint8Array): void {
    this.devices.set(deviceId, { userId, deviceId, keys, packages, lastResort, isRevoked: false })
  }

  /** A message is stored only if no leaf is stale and no device is missing. */
  storesMessage(conversationId: string, key: { readonly key_id: string; readonly sender_device_id: string }): boolean {
    const group = this.groups.get(conversationId)
    return (
      group !== undefined &&
      key.key_id === `${group.generation}:${group.epoch}` &&
      group.leaves.some(({ deviceId }) => deviceId === key.sender_device_id) &&
      this.stale(conversationId).length === 0 &&
      this.missing(conversationId).length === 0
    )
  }

  /** As after a restore: the devices may be ahead. */
  restore(conversationId: string): void {
    const group = this.groups.get(conversationId)
    if (group) group.epoch = null
    this.#welcomes = []
  }

  stale(conversationId: string): number[] {
    const users = this.participants.get(conversationId)
    const isStale = ({ userId, deviceId }: Leaf) =>
      !users?.has(userId) || this.devices.get(deviceId)?.isRevoked !== false
    return (this.groups.get(conversationId)?.leaves ?? []).filter(isStale).map(({ index }) => index)
  }

  missing(conversationId: string): Device[] {
    const leaves = this.groups.get(conversationId)?.leaves ?? []
    return this.#memberDevices(conversationId).filter(
      ({ deviceId, lastResort }) => lastResort !== null && !leaves.some((leaf) => leaf.deviceId === deviceId),
    )
  }

  as(deviceId: string): GroupServer {
    return {
      group: async (conversationId) => this.#group(conversationId),
      commits: async (conversationId, generation, afterEpoch) =>
        (this.logs.get(conversationId) ?? []).filter(
          (logged) => logged.generation === generation && logged.epoch >= afterEpoch,
        ),
      keyPackages: async (conversationId, isCreation) => {
        const devices = isCreation ? this.#memberDevices(conversationId) : this.missing(conversationId)
        return devices.filter((each) => each.deviceId !== deviceId).flatMap((each) => this.#claim(conversationId, each))
      },
      create: (conversationId, commit) => this.#accept(conversationId, deviceId, commit, true),
      commit: (conversationId, commit) => this.#accept(conversationId, deviceId, commit, false),
      users: async (userIds) => userIds.map((each) => this.listed(each)),
      welcomes: async () => this.#welcomes.filter((welcome) => welcome.deviceId === deviceId),
      confirmWelcome: async (id) => {
        this.#welcomes = this.#welcomes.filter((welcome) => welcome.id !== id || welcome.deviceId !== deviceId)
      },
    }
  }

  listed(userId: string): ListedUser {
    const devices = [...this.devices.values()].filter((device) => device.userId === userId)
    const account = devices.find(({ keys }) => keys.account)?.keys.account
    return {
      userId,
      accounts: account ? [account] : [],
      devices: devices.map(({ deviceId, keys: { signatureKey, hpkeKey, certificate } }) => {
        return { userId, deviceId, signatureKey, hpkeKey, certificate, accountVersion: 1 }
      }),
    }
  }

  #group(conversationId: string): ServerGroup {
    const group = this.groups.get(conversationId)
    return {
      generation: group?.generation ?? null,
      epoch: group?.epoch ?? null,
      sinceSeq: group?.sinceSeq ?? this.lastSeq,
      groupInfo: group?.groupInfo ?? null,
      ready: this.#waitingFor(conversationId).length === 0,
      waitingFor: this.#waitingFor(conversationId),
      staleLeaves: this.stale(conversationId),
      missingDevices: this.missing(conversationId).map(({ userId, deviceId }) => ({ userId, deviceId })),
    }
  }

  #waitingFor(conversationId: string): string[] {
    const users = [...(this.participants.get(conversationId) ?? [])]
    return users.filter((user) => !this.#memberDevices(conversationId).some(({ userId }) => userId === user))
  }

  #memberDevices(conversationId: string): Device[] {
    const users = this.participants.get(conversationId)
    return [...this.devices.values()].filter(
      ({ userId, isRevoked, keys }) => users?.has(userId) && !isRevoked && keys.certificate !== null,
    )
  }

  #claim(conversationId: string, device: Device): ListedKeyPackage[] {
    const id = `${conversationId} ${device.deviceId}`
    const { userId, deviceId } = device
    const body = this.#claimed.get(id)?.body ?? device.packages.pop() ?? device.lastResort
    if (!body) return []
    const claimed = { userId, deviceId, body }
    this.#claimed.set(id, claimed)
    return [claimed]
  }

  async #accept(conversationId: string, deviceId: string, sent: ServerCommit, isCreation: boolean): Promise<void> {
    await this.beforeCommit()
    const group = this.groups.get(conversationId)
    const isNext = isCreation
      ? sent.generation >= (group ? group.generation + 1 : 0)
      : group?.generation === sent.generation && group.epoch === sent.epoch
    if (!isNext || !this.#isMember(conversationId, deviceId)) throw new ApiError(409, "epoch_changed")
    for (const unusable of sent.unusable) {
      const device = this.devices.get(unusable)
      if (device) Object.assign(device, { packages: [], lastResort: null })
    }
    const before = isCreation ? [] : (group?.leaves ?? [])
    const leaves = leavesOf(sent.groupInfo)
    const { generation, epoch, groupInfo } = sent
    this.groups.set(conversationId, { generation, epoch: epoch + 1, sinceSeq: this.lastSeq, groupInfo, leaves })
    const log = this.logs.get(conversationId) ?? []
    this.logs.set(conversationId, [...log, { generation, epoch, commit: sent.commit, sinceSeq: this.lastSeq }])
    for (const leaf of leaves.filter((each) => !before.some((old) => old.deviceId === each.deviceId))) {
      this.#claimed.delete(`${conversationId} ${leaf.deviceId}`)
      if (leaf.deviceId !== deviceId && sent.welcome) {
        const id = toBase64url(sha256(sent.commit))
        this.#welcomes.push({ id, conversationId, generation, body: sent.welcome, deviceId: leaf.deviceId })
      }
    }
    this.afterCommit()
    if (this.losesReply) {
      this.losesReply = false
      throw new Unreachable()
    }
  }

  #isMember(conversationId: string, deviceId: string): boolean {
    return this.#memberDevices(conversationId).some((device) => device.deviceId === deviceId)
  }
}

function leavesOf(groupInfo: Uint8Array): Leaf[] {
  const [message] = decodeMlsMessage(groupInfo, 0) ?? []
  if (message?.wireformat !== "mls_group_info") throw new Error("not a group info")
  return (ratchetTreeFromExtension(message.groupInfo) ?? []).flatMap((node, index) => {
    if (node?.nodeType !== "leaf" || node.leaf.credential.credentialType !== "basic") return []
    const [userId = "", deviceId = ""] = new TextDecoder().decode(node.leaf.credential.identity).split(":")
    return [{ index: index / 2, userId, deviceId }]
  })
}
