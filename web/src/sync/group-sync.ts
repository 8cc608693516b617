/**
 * Keeps this device a member of a conversation's MLS group, in the newest epoch and with the right roster.
 *
 * Any tab may run this at any time: the server accepts one commit per epoch, and the engine writes a group only if it is
 * still in the epoch it read.
 */
import { ApiError } from "../api/http"
import type {
  DeviceEngine,
  ListedKeyPackage,
  LoggedCommit,
  Participants,
  Position,
  PreparedCommit,
} from "../crypto/device-engine"
import type { Epoch } from "../crypto/keyring"
import type { ListedUser } from "../crypto/trust"

/** The MLS group of a conversation, as the server describes it. */
export interface ServerGroup {
  /** Null before the first creation. */
  readonly generation: number | null
  /** Null if the group must be created. */
  readonly epoch: number | null
  readonly sinceSeq: number
  readonly groupInfo: Uint8Array | null
  readonly ready: boolean
  readonly waitingFor: readonly string[]
  readonly staleLeaves: readonly number[]
  readonly missingDevices: readonly { readonly userId: string; readonly deviceId: string }[]
}

export interface ServerCommit extends Pick<PreparedCommit, "commit" | "welcome" | "groupInfo" | "unusable"> {
  readonly generation: number
  readonly epoch: number
}

export interface ServerWelcome {
  readonly id: string
  readonly conversationId: string
  readonly generation: number
  readonly body: Uint8Array
}

/** The requests that concern MLS groups. Each rejects with `ApiError` or `Unreachable`. */
export interface GroupServer {
  group(conversationId: string): Promise<ServerGroup>
  /** At most 100 commits from this epoch on, in order. */
  commits(conversationId: string, generation: number, afterEpoch: number): Promise<readonly LoggedCommit[]>
  keyPackages(conversationId: string, isCreation: boolean): Promise<readonly ListedKeyPackage[]>
  create(conversationId: string, commit: ServerCommit): Promise<void>
  commit(conversationId: string, commit: ServerCommit): Promise<void>
  users(userIds: readonly string[]): Promise<readonly ListedUser[]>
  welcomes(): Promise<readonly ServerWelcome[]>
  confirmWelcome(id: string): Promise<void>
}

/** What this module needs of the engine, in the same thread or in a worker. */
export type GroupEngine = Pick<
  DeviceEngine,
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
>

/**
 * - `ready`: this device can encrypt. `needsCommit`: others must be added or removed before the next message
 * - `waiting`: the conversation cannot be encrypted yet, because some participants have no keys
 * - `untrusted`: the group contains a device that its user did not certify, or one of a user who does not take part, and
 *   the server does not let it be removed
 */
export type GroupStatus =
  | { readonly kind: "ready"; readonly needsCommit: boolean }
  | { readonly kind: "waiting"; readonly for: readonly string[] }
  | { readonly kind: "untrusted" }

/** Where one step led; undefined if another one must follow. `stuck`: this device cannot enter the present group at all. */
type Step = GroupStatus | { readonly kind: "stuck"; readonly generation: number } | undefined

const READY: GroupStatus = { kind: "ready", needsCommit: false }
const UNTRUSTED: GroupStatus = { kind: "untrusted" }
/** Others win a race at most this often, unless the server misbehaves. */
const MAX_ATTEMPTS = 20
const MAX_PAUSE_MS = 500
/** The lowest HTTP status of a server that failed, perhaps after it had stored the request. */
const SERVER_FAILED = 500
/** The key of an epoch decrypts all of its messages, so an epoch lasts at most this long, and has at most so many messages. */
const MAX_EPOCH_MS = 7 * 24 * 60 * 60 * 1000
const MAX_EPOCH_MESSAGES = 500

export class GroupSync {
  /** Whose keys have been fetched in this session. */
  readonly #learned = new Set<string>()

  /**
   * @param participants the users whom the client displays as participants
   * @param lastSeq the `seq` of the newest message that the client knows
   * @param pause waits a random time of at most so many milliseconds
   */
  constructor(
    private readonly conversationId: string,
    private readonly engine: GroupEngine,
    private readonly server: GroupServer,
    private readonly participants: () => Participants,
    private readonly lastSeq: () => number,
    private readonly pause: (atMost: number) => Promise<void>,
  ) {}

  /** Brings this device into the newest epoch, creates the group if none exists, and reconciles its roster. */
  prepareToSend(): Promise<GroupStatus> {
    return this.#advance(true)
  }

  /** Brings this device into the newest epoch. Creates the conversation's first group when all participants have keys. */
  follow(): Promise<GroupStatus> {
    return this.#advance(false)
  }

  /** Adds and removes others without a message, so that the next one need not wait for it. */
  reconcile(): Promise<GroupStatus> {
    return this.#advance(true, false)
  }

  async #advance(isSending: boolean, mayRenew = isSending): Promise<GroupStatus> {
    let renews = mayRenew
    let failedJoins = 0
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const step = await this.#attempt(isSending)
      if (step?.kind === "stuck") {
        failedJoins += 1
        if (failedJoins === 1)
          await this.pause(MAX_PAUSE_MS) // Perhaps the answer was older than the newest commit.
        else if (failedJoins > 2 || !isSending || !(await this.#replace(step.generation))) return UNTRUSTED
        continue
      }
      if (step?.kind !== "ready" || !renews) {
        if (step) return step
        continue
      }
      renews = false // Once, also if the server says that the new epoch is old.
      if (!(await this.#renewed())) return step
    }
    return UNTRUSTED
  }

  /**
   * Creates the next generation, because no device can process the newest commit, or enter the group by a commit of its own.
   * Returns false if the server allows no more of them today.
   */
  async #replace(generation: number): Promise<boolean> {
    try {
      await this.#create(generation + 1)
      return true
    } catch (error) {
      if (error instanceof ApiError && error.code === "invalid_commit") return false
      throw error
    }
  }

  /** Begins a new epoch if the present one is old. Returns whether it tried to. */
  async #renewed(): Promise<boolean> {
    const position = await this.engine.position(this.conversationId)
    if (!position || !this.#isOld(position)) return false
    const prepared = await this.engine.prepareCommit(this.conversationId, [], [], this.participants())
    if (!prepared) return false
    const { generation, epoch } = position
    await this.#send(prepared, generation, epoch, (commit) => this.server.commit(this.conversationId, commit))
    return true
  }

  #isOld({ enteredAt, sinceSeq }: Position): boolean {
    return Date.now() - enteredAt >= MAX_EPOCH_MS || this.lastSeq() - sinceSeq >= MAX_EPOCH_MESSAGES
  }

  /** Applies new commits. Commits nothing itself. */
  async catchUp(): Promise<void> {
    const position = await this.engine.position(this.conversationId)
    if (position?.isMember) await this.#catchUp(position)
  }

  /** Takes one step. Returns undefined if another one must follow. */
  async #attempt(isSending: boolean): Promise<Step> {
    await this.#learn(this.participants())
    // Asked before, so that only a restored server can know less.
    const known = (await this.engine.position(this.conversationId))?.generation ?? -1
    const group = await this.server.group(this.conversationId)
    const { generation, epoch } = group
    if (generation === null || epoch === null || group.groupInfo === null) {
      const canCreate = generation === null ? group.ready : isSending
      if (!canCreate) return { kind: "waiting", for: group.waitingFor }
      return await this.#create(Math.max(generation ?? -1, known) + 1)
    }
    const position = await this.engine.position(this.conversationId)
    if (!position?.isMember || position.generation !== generation) {
      return await this.#join(generation, epoch, group)
    }
    if (position.epoch < epoch) {
      const outcome = await this.#catchUp(position)
      return outcome === "current" ? undefined : await this.#join(generation, epoch, group)
    }
    if (position.epoch > epoch) {
      await this.pause(MAX_PAUSE_MS) // This answer is older than the newest commit.
      return undefined
    }
    const needsCommit = group.staleLeaves.length > 0 || group.missingDevices.length > 0
    if (!isSending) return { kind: "ready", needsCommit }
    if (needsCommit) return await this.#reconcile(group, position)
    return (await this.#canEncrypt()) ? READY : UNTRUSTED
  }

  async #create(generation: number): Promise<GroupStatus | undefined> {
    const packages = await this.server.keyPackages(this.conversationId, true)
    await this.#learn(
      packages.map(({ userId }) => userId),
      true,
    )
    const prepared = await this.engine.prepareCreation(this.conversationId, generation, packages, this.participants())
    return await this.#send(prepared, generation, 0, (commit) => this.server.create(this.conversationId, commit))
  }

  /** Becomes a member: by a commit of its own whose reply was lost, by a Welcome, or else by an external commit. */
  async #join(generation: number, epoch: number, group: ServerGroup): Promise<Step> {
    const pending = await this.engine.pendingEpoch(this.conversationId, generation)
    if (pending !== null && pending < epoch) {
      const outcome = await this.#catchUp({ generation, epoch: pending })
      if (outcome === "current") return undefined
    }
    if (await this.#joinByWelcome(generation, group.sinceSeq)) return undefined
    const { groupInfo } = group
    if (!groupInfo) return undefined
    const prepare = () => this.engine.prepareJoin(this.conversationId, generation, groupInfo, this.participants())
    const prepared = await this.#trusting(prepare)
    if (!prepared) return { kind: "stuck", generation }
    return await this.#send(prepared, generation, epoch, (commit) => this.server.commit(this.conversationId, commit))
  }

  async #joinByWelcome(generation: number, sinceSeq: number): Promise<boolean> {
    let hasJoined = false
    for (const welcome of await this.server.welcomes()) {
      if (welcome.conversationId !== this.conversationId) continue
      if (welcome.generation === generation) {
        const joined = await this.#trusting(async () => {
          await this.engine.join(this.conversationId, generation, welcome.body, sinceSeq, this.participants())
          return true
        })
        hasJoined ||= joined === true
      }
      await this.server.confirmWelcome(welcome.id)
    }
    return hasJoined
  }

  async #reconcile(group: ServerGroup, { generation, epoch }: Position): Promise<GroupStatus | undefined> {
    const { staleLeaves, missingDevices } = group
    if (!missingDevices.every(({ userId }) => this.participants().includes(userId))) return UNTRUSTED
    const packages = missingDevices.length > 0 ? await this.server.keyPackages(this.conversationId, false) : []
    await this.#learn(
      packages.map(({ userId }) => userId),
      true,
    )
    const prepared = await this.engine.prepareCommit(this.conversationId, staleLeaves, packages, this.participants())
    if (!prepared) return undefined
    return await this.#send(prepared, generation, epoch, (commit) => this.server.commit(this.conversationId, commit))
  }

  async #canEncrypt(): Promise<boolean> {
    const check = () => this.engine.canEncrypt(this.conversationId, this.participants())
    if (await check()) return true
    await this.#learn(this.participants(), true)
    return await check()
  }

  /** Sends a commit. If another one was faster, waits and lets the caller look again. */
  async #send(
    { digest, ...prepared }: PreparedCommit,
    generation: number,
    epoch: number,
    send: (commit: ServerCommit) => Promise<void>,
  ): Promise<undefined> {
    try {
      await send({ ...prepared, generation, epoch })
    } catch (error) {
      // Otherwise unknown: the commit is found in the log if it was accepted.
      if (!(error instanceof ApiError) || error.status >= SERVER_FAILED) throw error
      await this.engine.drop(this.conversationId, digest)
      if (error.code !== "epoch_changed") throw error
      await this.pause(MAX_PAUSE_MS)
      return
    }
    await this.#adopt(generation, epoch)
  }

  /** This device meets its own commit in the log, as it would after a crash. */
  async #adopt(generation: number, epoch: number): Promise<void> {
    const commits = await this.server.commits(this.conversationId, generation, epoch)
    await this.engine.catchUp(this.conversationId, generation, commits, this.participants())
  }

  async #catchUp({ generation, epoch }: Epoch): Promise<"current" | "removed" | "stuck"> {
    let commits: readonly LoggedCommit[]
    try {
      commits = await this.server.commits(this.conversationId, generation, epoch)
    } catch (error) {
      if (error instanceof ApiError && error.code === "commits_expired") return "stuck"
      throw error
    }
    const apply = () => this.engine.catchUp(this.conversationId, generation, commits, this.participants())
    const outcome = await apply()
    if (outcome !== "stuck") return outcome
    // Perhaps a new device of a known user.
    await this.#learn(this.participants(), true)
    return await apply()
  }

  /** Tries again with the newest keys of all participants. Returns undefined if that fails as well. */
  async #trusting<Result>(attempt: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await attempt()
    } catch {
      await this.#learn(this.participants(), true)
      return await attempt().catch(() => undefined)
    }
  }

  async #learn(userIds: readonly string[], again = false): Promise<void> {
    const wanted = [...new Set(userIds)].filter((userId) => again || !this.#learned.has(userId))
    if (wanted.length === 0) return
    await this.engine.learn(await this.server.users(wanted))
    for (const userId of wanted) this.#learned.add(userId)
  }
}
