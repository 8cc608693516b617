/** The HTTP requests of end-to-end encryption: device keys, key packages, MLS groups, commits and Welcomes. */
import { ApiError, type Method } from "../api/http"
import type {
  Commits,
  CommitSubmission,
  GroupCreation,
  KeyPackageCount,
  KeyPackages,
  KeyPackagesRequest,
  MlsGroup,
  UserKeys,
  Welcomes,
} from "../api/types"
import { fromBase64url, toBase64url } from "../crypto/bytes"
import type { LoggedCommit, ListedKeyPackage, PublishedKeys } from "../crypto/device-engine"
import type { ListedUser } from "../crypto/trust"
import type { GroupServer, ServerCommit, ServerGroup, ServerWelcome } from "./group-sync"

/** Sends an authenticated request to the API; see `Session.request`. */
export type SendRequest = <Result>(method: Method, path: string, body?: object) => Promise<Result>

export class GroupRequests implements GroupServer {
  constructor(private readonly send: SendRequest) {}

  async group(conversationId: string): Promise<ServerGroup> {
    const view = await this.send<MlsGroup>("GET", mls(conversationId))
    return {
      generation: view.generation,
      epoch: view.epoch,
      sinceSeq: view.since_seq ?? 0,
      groupInfo: view.group_info === null ? null : fromBase64url(view.group_info),
      ready: view.ready,
      waitingFor: view.waiting_for,
      staleLeaves: view.stale_leaves,
      missingDevices: view.missing_devices.map(({ user_id, device_id }) => ({ userId: user_id, deviceId: device_id })),
    }
  }

  async commits(conversationId: string, generation: number, afterEpoch: number): Promise<LoggedCommit[]> {
    const path = `${mls(conversationId)}/commits?generation=${generation}&after_epoch=${afterEpoch}`
    const { commits } = await this.send<Commits>("GET", path)
    return commits.map(({ epoch, commit, since_seq }) => {
      return { epoch: epoch - 1, commit: fromBase64url(commit), sinceSeq: since_seq }
    })
  }

  async keyPackages(conversationId: string, isCreation: boolean): Promise<ListedKeyPackage[]> {
    const path = `${mls(conversationId)}/key-packages`
    const answer = await this.send<KeyPackages>("POST", path, {
      new_group: isCreation,
    } satisfies KeyPackagesRequest)
    return answer.key_packages.map(({ user_id, device_id, key_package }) => {
      return { userId: user_id, deviceId: device_id, body: fromBase64url(key_package) }
    })
  }

  async create(conversationId: string, commit: ServerCommit): Promise<void> {
    await this.send("POST", mls(conversationId), submission(commit))
  }

  async commit(conversationId: string, commit: ServerCommit): Promise<void> {
    await this.send("POST", `${mls(conversationId)}/commits`, {
      ...submission(commit),
      epoch: commit.epoch,
    } satisfies CommitSubmission)
  }

  async users(userIds: readonly string[]): Promise<ListedUser[]> {
    return await Promise.all(userIds.map((userId) => this.user(userId)))
  }

  /** Returns the keys of a user; none if the caller may not see them. */
  async user(userId: string): Promise<ListedUser> {
    try {
      const { accounts, devices } = await this.send<UserKeys>("GET", `/users/${userId}/keys`)
      return {
        userId,
        accounts: accounts.map(({ version, public_key }) => ({ version, publicKey: fromBase64url(public_key) })),
        devices: devices.map((device) => ({
          userId,
          deviceId: device.device_id,
          signatureKey: fromBase64url(device.signature_key),
          hpkeKey: fromBase64url(device.hpke_key),
          certificate: device.certificate === null ? null : fromBase64url(device.certificate),
          accountVersion: device.account_version ?? 0,
        })),
      }
    } catch (error) {
      if (error instanceof ApiError && error.code === "not_found") return { userId, accounts: [], devices: [] }
      throw error
    }
  }

  async welcomes(): Promise<ServerWelcome[]> {
    const { welcomes } = await this.send<Welcomes>("GET", "/me/welcomes")
    return welcomes.map(({ id, conversation_id, generation, welcome }) => {
      return { id, conversationId: conversation_id, generation, body: fromBase64url(welcome) }
    })
  }

  async confirmWelcome(id: string): Promise<void> {
    await this.send("DELETE", `/me/welcomes/${id}`)
  }

  async publishKeys({ signatureKey, hpkeKey, certificate, account }: PublishedKeys): Promise<void> {
    await this.send("PUT", "/me/keys", {
      signature_key: toBase64url(signatureKey),
      hpke_key: toBase64url(hpkeKey),
      ...(certificate && { certificate: toBase64url(certificate) }),
      ...(account && {
        account: {
          version: account.version,
          public_key: toBase64url(account.publicKey),
          hpke_key: toBase64url(account.hpkeKey),
        },
      }),
    })
  }

  /** Publishes key packages. Returns how many of this device can be given out, apart from the last resort. */
  async publishKeyPackages(packages: readonly Uint8Array[], lastResort: Uint8Array | null): Promise<number> {
    const { count } = await this.send<KeyPackageCount>("PUT", "/me/key-packages", {
      packages: packages.map(toBase64url),
      ...(lastResort && { last_resort: toBase64url(lastResort) }),
    })
    return count
  }
}

function mls(conversationId: string): string {
  return `/conversations/${conversationId}/mls`
}

function submission({ generation, commit, welcome, groupInfo, unusable }: ServerCommit): GroupCreation {
  return {
    generation,
    commit: toBase64url(commit),
    ...(welcome && { welcome: toBase64url(welcome) }),
    group_info: toBase64url(groupInfo),
    unusable_key_packages: unusable,
  }
}
