/**
 * MLS (RFC 9420): the group of a conversation, whose members are devices.
 *
 * This is the only file that imports ts-mls. It overrides the defaults that are not safe: a service that accepts every
 * credential, lifetimes that are not checked, and key packages that never expire. An `MlsGroup` is immutable: what
 * changes the group returns another one, so that a commit that another device overtakes leaves no trace.
 */
import {
  createCommit,
  createGroup,
  createGroupInfoWithExternalPubAndRatchetTree,
  decodeGroupState,
  decodeMlsMessage,
  defaultKeyRetentionConfig,
  defaultLifetimeConfig,
  defaultPaddingConfig,
  emptyPskIndex,
  encodeGroupState,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  joinGroup,
  joinGroupExternal,
  mlsExporter,
  processPublicMessage,
  type Capabilities,
  type ClientConfig,
  type ClientState,
  type Credential,
  type GroupContext,
  type LeafNode,
  type LeafNodeKeyPackage,
  type MLSMessage,
  type Proposal,
  type RatchetTree,
} from "ts-mls"
import { ratchetTreeFromExtension } from "ts-mls/groupInfo.js"
import { makeKeyPackageRef } from "ts-mls/keyPackage.js"

import { equalInConstantTime, signatureKeyPair, suite, utf8ToBytes } from "./suite"

/** A device as a member of an MLS group. */
export interface Leaf {
  readonly index: number
  readonly userId: string
  readonly deviceId: string
  readonly signatureKey: Uint8Array
}

/** This device, with its Ed25519 seed. */
export interface OwnDevice {
  readonly userId: string
  readonly deviceId: string
  readonly signatureSeed: Uint8Array
}

/** Whether a device may be in the group with this signature key. */
export type IsTrusted = (device: Omit<Leaf, "index">) => boolean

/** A key package, and the private keys that its owner needs when a Welcome arrives. */
export interface OwnKeyPackage {
  /** RFC 9420, section 5.2; the Welcome names it. */
  readonly ref: Uint8Array
  readonly body: Uint8Array
  readonly initPrivateKey: Uint8Array
  readonly hpkePrivateKey: Uint8Array
}

/** A commit that the server has not accepted yet. */
export interface Commit {
  readonly commit: Uint8Array
  /** For the devices that it adds. */
  readonly welcome: Uint8Array | null
  readonly groupInfo: Uint8Array
  /** The group in the epoch that the commit begins. */
  readonly next: MlsGroup
}

const DAY = 24 * 60 * 60
/** The lifetime of a key package. It begins a day early, for devices whose clock is behind. */
const LIFETIME = 30 * DAY
/** The largest group that the server accepts. */
const MAX_LEAVES = 256
const ALLOWED_PROPOSALS: readonly Proposal["proposalType"][] = ["add", "remove", "external_init"]
const CAPABILITIES: Capabilities = {
  versions: ["mls10"],
  ciphersuites: [suite.name],
  extensions: [],
  proposals: [],
  credentials: ["basic"],
}

export async function createKeyPackage(device: OwnDevice, now = Date.now()): Promise<OwnKeyPackage> {
  const { keyPackage, privateKeys } = await newKeyPackage(device, now)
  return {
    ref: await makeKeyPackageRef(keyPackage, suite.hash),
    body: encodeMlsMessage({ version: "mls10", wireformat: "mls_key_package", keyPackage }),
    initPrivateKey: privateKeys.initPrivateKey,
    hpkePrivateKey: privateKeys.hpkePrivateKey,
  }
}

/** Returns the key package of this device for which a Welcome is. */
export function keyPackageFor(welcome: Uint8Array, own: readonly OwnKeyPackage[]): OwnKeyPackage {
  const { secrets } = decodedAs("mls_welcome", welcome).welcome
  const found = own.find(({ ref }) => secrets.some(({ newMember }) => equalInConstantTime(newMember, ref)))
  if (!found) throw new Error("the Welcome is for no key package of this device")
  return found
}

/** Returns the device of a key package, or null if its form, lifetime or capabilities are not valid. */
export function deviceOfKeyPackage(body: Uint8Array, now = Date.now()): Omit<Leaf, "index"> | null {
  try {
    const { leafNode } = decodedAs("mls_key_package", body).keyPackage
    const device = deviceOf(leafNode.credential)
    if (!device || !isSupported(leafNode) || !isCurrent(leafNode, now)) return null
    return { ...device, signatureKey: leafNode.signaturePublicKey }
  } catch {
    return null
  }
}

export class MlsGroup {
  private constructor(private readonly state: ClientState) {}

  /** Creates a group whose only member is this device, in epoch 0. */
  static async create(groupId: Uint8Array, device: OwnDevice, isTrusted: IsTrusted): Promise<MlsGroup> {
    const { keyPackage, privateKeys } = await newKeyPackage(device, Date.now())
    return new MlsGroup(await createGroup(groupId, keyPackage, privateKeys, [], suite, config(isTrusted)))
  }

  /** Joins by a Welcome for a key package of this device. */
  static async join(
    welcome: Uint8Array,
    own: OwnKeyPackage,
    device: OwnDevice,
    isTrusted: IsTrusted,
  ): Promise<MlsGroup> {
    const received = decodedAs("mls_welcome", welcome).welcome
    const { keyPackage } = decodedAs("mls_key_package", own.body)
    const privateKeys = { ...own, signaturePrivateKey: device.signatureSeed }
    return MlsGroup.#checked(
      await joinGroup(received, keyPackage, privateKeys, emptyPskIndex, suite, undefined, undefined, config(isTrusted)),
    )
  }

  /** Adds this device by an external commit (section 12.4.3.2), which replaces a leaf that it has already. */
  static async joinExternal(groupInfo: Uint8Array, device: OwnDevice, isTrusted: IsTrusted): Promise<Commit> {
    const received = decodedAs("mls_group_info", groupInfo).groupInfo
    checkContext(received.groupContext)
    const { keyPackage, privateKeys } = await newKeyPackage(device, Date.now())
    const isResync = leavesOf(ratchetTreeFromExtension(received) ?? []).some((leaf) => isSameDevice(leaf, device))
    const { publicMessage, newState } = await joinGroupExternal(
      received,
      keyPackage,
      privateKeys,
      isResync,
      suite,
      undefined,
      config(isTrusted),
    )
    return MlsGroup.#committed(newState, { version: "mls10", wireformat: "mls_public_message", publicMessage }, null)
  }

  /** Restores what `encode` returned. */
  static decode(encoded: Uint8Array, isTrusted: IsTrusted): MlsGroup {
    return new MlsGroup({ ...whole(decodeGroupState(encoded, 0), encoded), clientConfig: config(isTrusted) })
  }

  encode(): Uint8Array {
    return encodeGroupState(this.state)
  }

  get groupId(): Uint8Array {
    return this.state.groupContext.groupId
  }

  get epoch(): number {
    return Number(this.state.groupContext.epoch)
  }

  /** Index of this device's leaf. */
  get ownIndex(): number {
    return this.state.privatePath.leafIndex
  }

  get leaves(): Leaf[] {
    return leavesOf(this.state.ratchetTree)
  }

  /** Returns the epoch key of a conversation (section 8.5). */
  exportKey(conversationId: string): Promise<Uint8Array> {
    const context = utf8ToBytes(conversationId)
    return mlsExporter(this.state.keySchedule.exporterSecret, "famichat message", context, 32, suite)
  }

  /** Makes one commit that removes leaves and adds devices. With neither, it only begins a new epoch. */
  async commit(remove: readonly number[], add: readonly Uint8Array[]): Promise<Commit> {
    const proposals: Proposal[] = [
      ...remove.map((removed) => ({ proposalType: "remove" as const, remove: { removed } })),
      ...add.map((body) => ({
        proposalType: "add" as const,
        add: { keyPackage: decodedAs("mls_key_package", body).keyPackage },
      })),
    ]
    const { newState, commit, welcome } = await createCommit(
      { state: this.state, cipherSuite: suite },
      { wireAsPublicMessage: true, extraProposals: proposals, ratchetTreeExtension: true },
    )
    return MlsGroup.#committed(
      newState,
      commit,
      welcome ? encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome }) : null,
    )
  }

  /**
   * Processes the commit of another device.
   *
   * @returns the group in the next epoch, or null if the commit removes this device, which cannot process it
   * @throws Error if the commit is malformed, not authentic, not for this epoch, or adds a device that is not trusted
   */
  async process(commit: Uint8Array): Promise<MlsGroup | null> {
    const { publicMessage } = decodedAs("mls_public_message", commit)
    if (publicMessage.content.contentType !== "commit") throw new Error("not a commit")
    let isAllowed = false
    let removesThisDevice = false
    const { newState } = await processPublicMessage(this.state, publicMessage, emptyPskIndex, suite, (incoming) => {
      if (incoming.kind !== "commit") return "reject"
      const proposals = incoming.proposals.map(({ proposal }) => proposal)
      isAllowed = proposals.every(({ proposalType }) => ALLOWED_PROPOSALS.includes(proposalType))
      // ts-mls does not notice it if the commit adds another device in the place of this one.
      removesThisDevice =
        incoming.senderLeafIndex !== undefined && proposals.some((proposal) => this.#isRemovedBy(proposal))
      return isAllowed && !removesThisDevice ? "accept" : "reject"
    })
    if (!isAllowed) throw new Error("the commit contains a proposal that is not allowed")
    if (removesThisDevice) return null
    const next = MlsGroup.#checked(newState)
    if (publicMessage.content.sender.senderType === "new_member_commit") checkExternal(this.leaves, next.leaves)
    return next
  }

  #isRemovedBy(proposal: Proposal): boolean {
    return proposal.proposalType === "remove" && proposal.remove.removed === this.ownIndex
  }

  static async #committed(state: ClientState, message: MLSMessage, welcome: Uint8Array | null): Promise<Commit> {
    const next = MlsGroup.#checked(state)
    const groupInfo = await createGroupInfoWithExternalPubAndRatchetTree(next.state, [], suite)
    return {
      commit: encodeMlsMessage(message),
      welcome,
      groupInfo: encodeMlsMessage({ version: "mls10", wireformat: "mls_group_info", groupInfo }),
      next,
    }
  }

  /** Checks what section 12.4.3 leaves to the application, and drops the secrets of application messages. */
  static #checked(state: ClientState): MlsGroup {
    checkContext(state.groupContext)
    const leaves = leavesOf(state.ratchetTree)
    if (leaves.length > MAX_LEAVES) throw new Error("the group is too large")
    if (new Set(leaves.map(({ deviceId }) => deviceId)).size < leaves.length) throw new Error("a device has two leaves")
    return new MlsGroup({ ...state, historicalReceiverData: new Map() })
  }
}

async function newKeyPackage({ userId, deviceId, signatureSeed }: OwnDevice, now: number) {
  const today = Math.floor(now / 1000)
  const { publicPackage, privatePackage } = await generateKeyPackageWithKey(
    { credentialType: "basic", identity: utf8ToBytes(`${userId}:${deviceId}`) },
    CAPABILITIES,
    { notBefore: BigInt(today - DAY), notAfter: BigInt(today - DAY + LIFETIME) },
    [],
    { signKey: signatureSeed, publicKey: signatureKeyPair(signatureSeed).publicKey },
    suite,
  )
  return { keyPackage: publicPackage, privateKeys: privatePackage }
}

/** One leaf per device, also if its signature key has changed. */
const keyPackageEqualityConfig: ClientConfig["keyPackageEqualityConfig"] = {
  compareKeyPackages: (one, other) => isSameLeafDevice(one.leafNode, other.leafNode),
  compareKeyPackageToLeafNode: (keyPackage, leafNode) => isSameLeafDevice(keyPackage.leafNode, leafNode),
}

function config(isTrusted: IsTrusted): ClientConfig {
  return {
    keyRetentionConfig: defaultKeyRetentionConfig,
    paddingConfig: defaultPaddingConfig,
    keyPackageEqualityConfig,
    // The device that adds another checks that its key package is current. Later a leaf remains valid (section 7.3), also for a
    // device that joins or catches up weeks afterwards.
    lifetimeConfig: { ...defaultLifetimeConfig, validateLifetimeOnReceive: false },
    authService: {
      validateCredential: async (credential, signatureKey) => {
        const device = deviceOf(credential)
        return device !== undefined && isTrusted({ ...device, signatureKey })
      },
    },
  }
}

/** An external commit may replace the leaf of the joining device, and remove no other. */
function checkExternal(before: readonly Leaf[], after: readonly Leaf[]): void {
  const isKept = (leaf: Leaf) => after.some((other) => isSameDevice(leaf, other))
  if (!before.every(isKept)) throw new Error("an external commit removes another device")
}

function checkContext({ cipherSuite, epoch, extensions }: GroupContext): void {
  if (cipherSuite !== suite.name) throw new Error("another cipher suite")
  if (extensions.length > 0) throw new Error("an unknown extension of the group")
  if (epoch > Number.MAX_SAFE_INTEGER) throw new Error("the epoch is too large")
}

function isSupported({ capabilities, extensions }: LeafNode): boolean {
  const { versions, ciphersuites, credentials } = capabilities
  return (
    versions.includes("mls10") &&
    ciphersuites.includes(suite.name) &&
    credentials.includes("basic") &&
    extensions.length === 0
  )
}

/** Section 7.3: the lifetime includes the current time, and is not longer than this application allows. */
function isCurrent({ lifetime: { notBefore, notAfter } }: LeafNodeKeyPackage, now: number): boolean {
  const today = BigInt(Math.floor(now / 1000))
  return notBefore <= today && today <= notAfter && notAfter - notBefore <= LIFETIME
}

function leavesOf(tree: RatchetTree): Leaf[] {
  return tree.flatMap((node, nodeIndex) => {
    if (node?.nodeType !== "leaf") return []
    const device = deviceOf(node.leaf.credential)
    if (!device || !isSupported(node.leaf)) throw new Error("a leaf is no device, or does not support this group")
    return [{ index: nodeIndex / 2, ...device, signatureKey: node.leaf.signaturePublicKey }]
  })
}

/** The identity of a `basic` credential is `user_id:device_id`. */
function deviceOf(credential: Credential): { userId: string; deviceId: string } | undefined {
  if (credential.credentialType !== "basic") return undefined
  const [userId, deviceId, ...more] = new TextDecoder().decode(credential.identity).split(":")
  return userId && deviceId && more.length === 0 ? { userId, deviceId } : undefined
}

function isSameLeafDevice(one: LeafNode, other: LeafNode): boolean {
  const [device, otherDevice] = [deviceOf(one.credential), deviceOf(other.credential)]
  return device !== undefined && otherDevice !== undefined && isSameDevice(device, otherDevice)
}

type DeviceId = Pick<Leaf, "userId" | "deviceId">

function isSameDevice(one: DeviceId, other: DeviceId): boolean {
  return one.userId === other.userId && one.deviceId === other.deviceId
}

type Wireformat = MLSMessage["wireformat"]

/** Decodes an MLSMessage (section 6) of one kind, without trailing bytes. */
function decodedAs<Kind extends Wireformat>(
  kind: Kind,
  message: Uint8Array,
): Extract<MLSMessage, { wireformat: Kind }> {
  const decoded = whole(decodeMlsMessage(message, 0), message)
  if (decoded.wireformat !== kind) throw new Error(`not a message of the type ${kind}`)
  return decoded as Extract<MLSMessage, { wireformat: Kind }>
}

function whole<Value>(decoded: [Value, number] | undefined, bytes: Uint8Array): Value {
  if (decoded?.[1] !== bytes.length) throw new Error("malformed, or with trailing bytes")
  return decoded[0]
}
