/**
 * What a device does with its keys: it publishes them, follows MLS groups, and encrypts and decrypts messages.
 *
 * It knows no server. Callers fetch what it needs and send what it returns. All arguments and results can be cloned, so that
 * it can run in a worker.
 */
import { decryptBody, encryptBody, isSignedBy } from "./body"
import { toBase64url } from "./bytes"
import { NEWER, parse, serialize, type MessageContent } from "./content"
import { accountKeys, mlsGroupId, type BodyContext, type DeviceKeys } from "./derivations"
import { NOT_DECRYPTED, UNKNOWN_KEY, UNKNOWN_VERSION, UNTRUSTED } from "./failures"
import { KeyDatabase, type PendingCommit, type StoredDevice, type StoredGroup } from "./key-database"
import { isBefore, isSameEpoch, keyId, keyringEntry, parseKeyId, type Epoch, type KeyringEntry } from "./keyring"
import {
  createKeyPackage,
  deviceOfKeyPackage,
  keyPackageFor,
  MlsGroup,
  type Commit,
  type IsTrusted,
  type OwnDevice,
} from "./mls"
import { equalInConstantTime, hpkeKeyPair, randomBytes, sha256, signatureKeyPair } from "./suite"
import { certify, isReplaced, isTrusted, pinned, type ListedUser, type PinnedAccount } from "./trust"

/** What a device publishes. A pending device has no certificate. */
export interface PublishedKeys {
  readonly signatureKey: Uint8Array
  readonly hpkeKey: Uint8Array
  readonly certificate: Uint8Array | null
  readonly account: { readonly version: number; readonly publicKey: Uint8Array; readonly hpkeKey: Uint8Array } | null
}

/** Where this device stands in the MLS group of a conversation. */
export interface Position extends Epoch {
  readonly encryptedSince: number
  readonly isMember: boolean
  /** When this device entered the epoch, in milliseconds. */
  readonly enteredAt: number
  /** The `seq` of the last message before the epoch. */
  readonly sinceSeq: number
}

/** A commit of the log, with the epoch it ends. */
export interface LoggedCommit {
  readonly epoch: number
  readonly commit: Uint8Array
  /** `last_seq` of the conversation at the commit. */
  readonly sinceSeq: number
}

/**
 * - `current`: all commits are applied
 * - `removed`: one of them removed this device
 * - `stuck`: this device cannot process one of them, or has no state
 */
export type CatchUp = "current" | "removed" | "stuck"

/** A commit to send. It is stored, and must be adopted or dropped according to the answer. */
export interface PreparedCommit {
  readonly digest: string
  readonly commit: Uint8Array
  readonly welcome: Uint8Array | null
  readonly groupInfo: Uint8Array
  /** Devices whose key package cannot be used. */
  readonly unusable: readonly string[]
}

export interface ListedKeyPackage {
  readonly userId: string
  readonly deviceId: string
  readonly body: Uint8Array
}

export interface EncryptedBody {
  readonly body: string
  readonly encryption_flag: true
  readonly encryption_version: typeof BODY_VERSION
  readonly protocol: typeof PROTOCOL
  readonly key_id: string
  readonly epoch: number
  readonly sender_device_id: string
}

/** An encrypted message as the server presents it. */
export interface ReceivedBody {
  readonly kind: "message" | "edit"
  readonly conversationId: string
  readonly messageId: string
  /** Whether it is the newest version of the message. Earlier ones may be read after it. */
  readonly isCurrent: boolean
  readonly userId: string
  readonly subject: string
  readonly body: string
  readonly encryption_version: string | null
  readonly key_id: string | null
  readonly sender_device_id: string | null
}

/** The content, or the number of the error (see docs/errors.md). */
export type Decrypted =
  | { readonly kind: "content"; readonly content: MessageContent }
  | { readonly kind: "newer" }
  /** This device has decrypted a newer edit of the message. */
  | { readonly kind: "superseded" }
  | {
      readonly kind: "failed"
      readonly code: typeof NOT_DECRYPTED | typeof UNKNOWN_KEY | typeof UNKNOWN_VERSION | typeof UNTRUSTED
    }

const BODY_VERSION = "famichat.1"
const PROTOCOL = "mls10"

/** Participants as the client displays them, by their user ids. */
export type Participants = readonly string[]

export class DeviceEngine {
  /** What decrypting a page would read again for each message. A key is never replaced. */
  readonly #keyring = new Map<string, KeyringEntry>()
  /** By the ids of user and device, until keys are learned. */
  readonly #signatureKeys = new Map<string, Uint8Array>()
  readonly #deviceKeys: DeviceKeys

  private constructor(
    private readonly keys: KeyDatabase,
    private readonly userId: string,
    private device: StoredDevice,
  ) {
    const { deviceId, signatureSeed, hpkePrivateKey } = device
    this.#deviceKeys = {
      userId,
      deviceId,
      signatureKey: signatureKeyPair(signatureSeed).publicKey,
      hpkeKey: hpkeKeyPair(hpkePrivateKey).publicKey,
    }
  }

  /**
   * Opens the keys of this device, and creates them at the first time.
   *
   * @param hasAccountKey whether the user has an account key already; otherwise this device creates it
   */
  static async open(userId: string, deviceId: string, hasAccountKey: boolean): Promise<DeviceEngine> {
    const keys = new KeyDatabase(userId)
    const device = await keys.keepDevice({
      deviceId,
      signatureSeed: randomBytes(32),
      hpkePrivateKey: randomBytes(32),
      account: hasAccountKey ? null : { seed: randomBytes(32), version: 1 },
    })
    return new DeviceEngine(keys, userId, device)
  }

  async publishedKeys(): Promise<PublishedKeys> {
    const { account } = this.device
    const { signatureKey, hpkeKey } = this.#deviceKeys
    if (!account) return { signatureKey, hpkeKey, certificate: null, account: null }
    const own = accountKeys(account.seed)
    const { version } = account
    return {
      signatureKey,
      hpkeKey,
      certificate: certify(own, version, this.#deviceKeys),
      account: { version, publicKey: own.signature.publicKey, hpkeKey: own.hpke.publicKey },
    }
  }

  /**
   * Another device created the account key first. This one is pending until that one certifies it.
   *
   * @returns false if the server accepted this account key before: its seed is never given up
   */
  async becomePending(): Promise<boolean> {
    const own = this.#ownAccount(this.userId)
    const known = await this.#pinnedAccount(this.userId)
    if (own && known && known.devices.length > 0 && equalInConstantTime(known.publicKey, own.publicKey)) return false
    await this.keys.dropAccount()
    this.device = { ...this.device, account: null }
    return true
  }

  /** Creates and stores key packages and one of last resort, and deletes those that have expired. Returns what to publish. */
  async createKeyPackages(count: number): Promise<{ packages: Uint8Array[]; lastResort: Uint8Array }> {
    const created = await Promise.all(Array.from({ length: count + 1 }, () => createKeyPackage(this.#ownDevice())))
    const expired = (await this.keys.keyPackages()).filter(({ body }) => deviceOfKeyPackage(body) === null)
    await this.keys.keepKeyPackages(created.map((each, index) => ({ ...each, isLastResort: index === count })))
    await this.keys.deleteKeyPackages(expired)
    const bodies = created.map(({ body }) => body)
    return { packages: bodies.slice(0, count), lastResort: bodies[count] as Uint8Array }
  }

  /** Learns the keys of users. Returns the users whose account key differs from the pinned one. */
  async learn(users: readonly ListedUser[]): Promise<string[]> {
    const replaced: string[] = []
    for (const user of users) {
      await this.keys.pin(user.userId, (known) => {
        const account = known ?? this.#ownAccount(user.userId)
        if (account && isReplaced(account, user)) replaced.push(user.userId)
        return pinned(account, user)
      })
    }
    this.#signatureKeys.clear()
    return replaced
  }

  async position(conversationId: string): Promise<Position | null> {
    const group = await this.keys.group(conversationId)
    if (!group) return null
    const { generation, epoch, encryptedSince, state, enteredAt = 0, sinceSeq = 0 } = group
    return { generation, epoch, encryptedSince, isMember: state !== null, enteredAt, sinceSeq }
  }

  /** Returns the earliest epoch of a generation for which this device made a commit whose outcome it does not know. */
  async pendingEpoch(conversationId: string, generation: number): Promise<number | null> {
    const pending = await this.keys.pendingCommits(conversationId)
    const epochs = pending.filter(({ ends }) => ends.generation === generation).map(({ ends }) => ends.epoch)
    return epochs.length > 0 ? Math.min(...epochs) : null
  }

  /** Applies the commits of one generation, in order. Those that this device has applied already are skipped. */
  async catchUp(
    conversationId: string,
    generation: number,
    commits: readonly LoggedCommit[],
    participants: Participants,
  ): Promise<CatchUp> {
    for (const logged of commits) {
      const outcome = await this.#apply(conversationId, generation, logged, participants)
      if (outcome !== "current") return outcome
    }
    return "current"
  }

  /** Joins the group of a conversation by a Welcome. Does nothing if this device is a member of this or a later epoch. */
  async join(
    conversationId: string,
    generation: number,
    welcome: Uint8Array,
    sinceSeq: number,
    participants: Participants,
  ): Promise<void> {
    const own = await this.keys.keyPackages()
    const used = own.find(({ ref }) => equalInConstantTime(ref, keyPackageFor(welcome, own).ref))
    const group = await MlsGroup.join(
      welcome,
      keyPackageFor(welcome, own),
      this.#ownDevice(),
      await this.#trust(participants),
    )
    checkGroupId(group, conversationId, generation)
    const seen = (await this.keys.group(conversationId)) ?? null
    const { next, entry } = await this.#stored(conversationId, generation, group, participants)
    // Also after a removal: in an earlier epoch, devices could read that have been removed since.
    if (seen && (seen.state ? !isBefore(seen, next) : isBefore(next, seen))) return
    await this.keys.advance(conversationId, seen, { ...next, encryptedSince: sinceSeq }, entry, used)
  }

  /** Prepares the external commit by which this device joins, or replaces its leaf. */
  async prepareJoin(
    conversationId: string,
    generation: number,
    groupInfo: Uint8Array,
    participants: Participants,
  ): Promise<PreparedCommit> {
    const commit = await MlsGroup.joinExternal(groupInfo, this.#ownDevice(), await this.#trust(participants))
    checkGroupId(commit.next, conversationId, generation)
    const seen = await this.keys.group(conversationId)
    const epoch = commit.next.epoch - 1
    if (seen && isBefore({ generation, epoch }, seen))
      throw new Error("the group info is older than this device's epoch")
    return this.#pending(conversationId, { generation, epoch }, commit, participants, [])
  }

  /** Prepares the creation of a generation of the group, with all devices whose key packages can be used. */
  async prepareCreation(
    conversationId: string,
    generation: number,
    packages: readonly ListedKeyPackage[],
    participants: Participants,
  ): Promise<PreparedCommit> {
    const group = await MlsGroup.create(
      mlsGroupId(conversationId, generation),
      this.#ownDevice(),
      await this.#trust(participants),
    )
    const { commit, unusable } = await this.#commit(group, [], packages, participants)
    return this.#pending(conversationId, { generation, epoch: 0 }, commit, participants, unusable)
  }

  /** Prepares one commit that removes leaves and adds devices. Null if this device is not a member. */
  async prepareCommit(
    conversationId: string,
    remove: readonly number[],
    packages: readonly ListedKeyPackage[],
    participants: Participants,
  ): Promise<PreparedCommit | null> {
    const seen = await this.keys.group(conversationId)
    if (!seen?.state) return null
    const group = MlsGroup.decode(seen.state, await this.#trust(participants))
    const others = remove.filter((index) => index !== group.ownIndex)
    const { commit, unusable } = await this.#commit(group, others, packages, participants)
    return this.#pending(conversationId, seen, commit, participants, unusable)
  }

  /** Drops a commit that the server refused. */
  async drop(conversationId: string, digest: string): Promise<void> {
    await this.keys.dropPending(conversationId, digest)
  }

  /** Whether every leaf belongs to a participant and is certified by that user's account key. */
  async canEncrypt(conversationId: string, participants: Participants): Promise<boolean> {
    const group = await this.keys.group(conversationId)
    return group !== undefined && (await this.#isReadableOnlyBy(group, participants))
  }

  /**
   * Encrypts a message or an edit with the key of the current epoch.
   *
   * @returns null if `canEncrypt` is false
   */
  async encrypt(
    kind: BodyContext["kind"],
    conversationId: string,
    subject: string,
    content: MessageContent,
    participants: Participants,
  ): Promise<EncryptedBody | null> {
    const group = await this.keys.group(conversationId)
    const entry = group && (await this.keys.key(conversationId, group))
    // The epoch that was checked is the one whose key is used: another tab may be in the next one by now.
    if (!entry || !(await this.#isReadableOnlyBy(group, participants))) return null
    const { generation, epoch } = group
    const { deviceId, signatureSeed } = this.device
    const context: BodyContext = { kind, conversationId, generation, epoch, userId: this.userId, deviceId, subject }
    return {
      body: encryptBody(entry.key, context, signatureSeed, serialize(await this.#dated(context, content))),
      encryption_flag: true,
      encryption_version: BODY_VERSION,
      protocol: PROTOCOL,
      key_id: keyId(group),
      epoch,
      sender_device_id: deviceId,
    }
  }

  /** Decrypts and verifies a message. Shows none of the content if any check fails. */
  async decrypt(received: ReceivedBody): Promise<Decrypted> {
    const { kind, conversationId, userId, subject, sender_device_id: deviceId } = received
    if (received.encryption_version !== BODY_VERSION) return failed(UNKNOWN_VERSION)
    const position = parseKeyId(received.key_id ?? "")
    const entry = position && (await this.#key(conversationId, position))
    if (!entry || deviceId === null) return failed(UNKNOWN_KEY)
    const context: BodyContext = { kind, conversationId, ...position, userId, deviceId, subject }
    let content: MessageContent | typeof NEWER
    try {
      const body = decryptBody(entry.key, context, received.body)
      const signatureKey = await this.#signatureKey(userId, deviceId)
      if (!signatureKey || !isSignedBy(signatureKey, context, body)) return failed(UNTRUSTED)
      content = parse(kind, body.content)
    } catch {
      return failed(NOT_DECRYPTED)
    }
    return await this.#accepted(received, context, content)
  }

  async close(): Promise<void> {
    await this.keys.close()
  }

  async #apply(
    conversationId: string,
    generation: number,
    { epoch, commit, sinceSeq }: LoggedCommit,
    participants: Participants,
  ): Promise<CatchUp> {
    const seen = await this.keys.group(conversationId)
    if (seen && isBefore({ generation, epoch }, seen)) return seen.state ? "current" : "removed"
    const pending = await this.keys.pending(conversationId, toBase64url(sha256(commit)))
    if (pending && isSameEpoch(pending.ends, { generation, epoch })) {
      await this.keys.advance(
        conversationId,
        seen ?? null,
        { ...pending.next, encryptedSince: sinceSeq },
        pending.entry,
      )
      return "current"
    }
    if (!seen?.state || !isSameEpoch(seen, { generation, epoch })) return "stuck"
    const next = await this.#processed(seen.state, commit, participants)
    if (next === undefined) return "stuck"
    if (next === null) {
      await this.keys.advance(conversationId, seen, { ...seen, epoch: epoch + 1, leaves: [], state: null }, null)
      return "removed"
    }
    const stored = await this.#stored(conversationId, generation, next, participants)
    await this.keys.advance(conversationId, seen, { ...stored.next, encryptedSince: sinceSeq }, stored.entry)
    return "current"
  }

  /** Returns undefined if the commit cannot be processed or is not acceptable. */
  async #processed(state: Uint8Array, commit: Uint8Array, participants: Participants) {
    try {
      const group = MlsGroup.decode(state, await this.#trust(participants))
      return await group.process(commit)
    } catch {
      return undefined
    }
  }

  async #commit(
    group: MlsGroup,
    remove: readonly number[],
    packages: readonly ListedKeyPackage[],
    participants: Participants,
  ): Promise<{ commit: Commit; unusable: string[] }> {
    const isCertified = await this.#isCertified()
    const isOfParticipant = (each: ListedKeyPackage) =>
      participants.includes(each.userId) && isKeyPackageOf(each, isCertified)
    const { commit, added } = await commitOf(group, remove, packages.filter(isOfParticipant))
    return { commit, unusable: packages.filter((each) => !added.includes(each)).map(({ deviceId }) => deviceId) }
  }

  async #pending(
    conversationId: string,
    ends: Epoch,
    commit: Commit,
    participants: Participants,
    unusable: readonly string[],
  ): Promise<PreparedCommit> {
    const digest = toBase64url(sha256(commit.commit))
    const { generation, epoch } = ends
    const stored = await this.#stored(conversationId, generation, commit.next, participants)
    const pending: PendingCommit = { conversationId, digest, ends: { generation, epoch }, ...stored }
    await this.keys.keepPending(pending)
    const { welcome, groupInfo } = commit
    return { digest, commit: commit.commit, welcome, groupInfo, unusable }
  }

  async #stored(
    conversationId: string,
    generation: number,
    group: MlsGroup,
    participants: Participants,
  ): Promise<Pick<PendingCommit, "next" | "entry">> {
    const { epoch, leaves } = group
    const next = { generation, epoch, leaves, state: group.encode() }
    return { next, entry: keyringEntry(await group.exportKey(conversationId), leaves, participants) }
  }

  /** Refuses what the server shows a second time, or an older edit instead of a newer one. */
  async #accepted(
    { conversationId, messageId, isCurrent }: ReceivedBody,
    { kind, generation, deviceId, subject }: BodyContext,
    content: MessageContent | typeof NEWER,
  ): Promise<Decrypted> {
    const writtenAt = kind === "message" ? 0 : content === NEWER ? null : (content.at ?? null)
    const outcome = await this.keys.accept({
      conversationId,
      messageId,
      origin: kind === "message" ? { generation, deviceId, clientId: subject } : null,
      editedAt: isCurrent ? writtenAt : null,
      generation,
    })
    if (outcome === "repeated") return failed(NOT_DECRYPTED)
    if (outcome === "superseded") return { kind: "superseded" }
    return content === NEWER ? { kind: "newer" } : { kind: "content", content }
  }

  /** An edit is newer than those before it, also if the clock of this device was set back. */
  async #dated({ conversationId, subject }: BodyContext, content: MessageContent): Promise<MessageContent> {
    if (content.at === undefined) return content
    return { ...content, at: Math.max(content.at, (await this.keys.editedAt(conversationId, subject)) + 1) }
  }

  async #isReadableOnlyBy({ state, leaves }: StoredGroup, participants: Participants): Promise<boolean> {
    const isCertified = await this.#isCertified()
    return state !== null && leaves.every((leaf) => participants.includes(leaf.userId) && isCertified(leaf))
  }

  async #pinnedAccount(userId: string): Promise<PinnedAccount | undefined> {
    return (await this.keys.pinnedAccounts()).find((account) => account.userId === userId)
  }

  async #signatureKey(userId: string, deviceId: string): Promise<Uint8Array | undefined> {
    const own = this.#deviceKeys
    if (userId === this.userId && deviceId === own.deviceId) return own.signatureKey
    const id = `${userId} ${deviceId}`
    const known = this.#signatureKeys.get(id)
    if (known) return known
    const account = await this.#pinnedAccount(userId)
    const key = account?.devices.find((each) => each.deviceId === deviceId)?.signatureKey
    if (key) this.#signatureKeys.set(id, key)
    return key
  }

  async #key(conversationId: string, epoch: Epoch): Promise<KeyringEntry | undefined> {
    const id = `${conversationId} ${keyId(epoch)}`
    const entry = this.#keyring.get(id) ?? (await this.keys.key(conversationId, epoch))
    if (entry) this.#keyring.set(id, entry)
    return entry
  }

  /**
   * Trusts this device, and those that the pinned account keys certified. The leaf of a user who is not displayed as a
   * participant is accepted unseen: after an absence, this device meets users who came and left again, and former
   * participants whose keys it cannot fetch. Nothing is encrypted while such a leaf remains.
   */
  async #trust(participants: Participants): Promise<IsTrusted> {
    const isCertified = await this.#isCertified()
    return (device) => !participants.includes(device.userId) || isCertified(device)
  }

  async #isCertified(): Promise<IsTrusted> {
    const accounts = new Map((await this.keys.pinnedAccounts()).map((account) => [account.userId, account]))
    const own = this.#deviceKeys
    return (device) =>
      device.userId === own.userId && device.deviceId === own.deviceId
        ? equalInConstantTime(device.signatureKey, own.signatureKey)
        : isTrusted(accounts.get(device.userId), device)
  }

  /** The account key that this device derives from the seed, whatever the server lists. */
  #ownAccount(userId: string): PinnedAccount | undefined {
    const { account } = this.device
    if (userId !== this.userId || !account) return undefined
    return { userId, version: account.version, publicKey: accountKeys(account.seed).signature.publicKey, devices: [] }
  }

  #ownDevice(): OwnDevice {
    return { userId: this.userId, ...this.device }
  }
}

/** Whether a key package is that of the device that the server names, and this device is trusted. */
function isKeyPackageOf({ userId, deviceId, body }: ListedKeyPackage, trust: IsTrusted): boolean {
  const device = deviceOfKeyPackage(body)
  return device?.userId === userId && device.deviceId === deviceId && trust(device)
}

/** Makes a commit that adds all devices, or those whose key packages have a valid signature and keys. */
async function commitOf(group: MlsGroup, remove: readonly number[], packages: readonly ListedKeyPackage[]) {
  const commit = (some: readonly ListedKeyPackage[]) => group.commit(remove, bodies(some))
  try {
    return { commit: await commit(packages), added: packages }
  } catch (error) {
    if (packages.length === 0) throw error
  }
  const results = await Promise.allSettled(packages.map((each) => commit([each])))
  const added = packages.filter((_, index) => results[index]?.status === "fulfilled")
  return { commit: await commit(added), added }
}

function bodies(packages: readonly ListedKeyPackage[]): Uint8Array[] {
  return packages.map(({ body }) => body)
}

function checkGroupId(group: MlsGroup, conversationId: string, generation: number): void {
  if (!equalInConstantTime(group.groupId, mlsGroupId(conversationId, generation))) {
    throw new Error("the MLS group of another conversation")
  }
}

function failed(code: Extract<Decrypted, { kind: "failed" }>["code"]): Decrypted {
  return { kind: "failed", code }
}
