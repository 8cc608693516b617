/** What a family admin can see and do. It never includes messages. */
import type { Session } from "./session"
import type { Member, Role } from "../api/types"

export interface MemberDevice {
  readonly id: string
  readonly name: string
  readonly last_seen_at: string
}

export interface PendingInvite {
  readonly id: string
  readonly role: Role
  readonly created_by_id: string | null
  readonly expires_at: string
}

/** An action of a family admin on a member. */
export interface FamilyEvent {
  readonly id: string
  readonly action: "family_role_changed" | "family_member_removed" | "device_revoked"
  readonly user_id: string
  /** Null for the server's operator. */
  readonly by_name: string | null
  /** Name of the family or device at that time. */
  readonly name: string | null
  readonly role: Role | null
  readonly inserted_at: string
}

export interface FamilyHistoryPage {
  readonly entries: readonly FamilyEvent[]
  readonly has_more: boolean
}

export interface StorageUsage {
  readonly database_bytes: number
  readonly people: readonly { readonly user_id: string; readonly file_bytes: number }[]
  readonly last_backup_at: string | null
}

/** Every method throws what `Session.request` throws. */
export class FamilyAdmin {
  readonly #family: string

  constructor(
    private readonly session: Session,
    familyId: string,
  ) {
    this.#family = `/families/${familyId}`
  }

  async members(): Promise<readonly Member[]> {
    return (await this.session.request<{ members: Member[] }>("GET", `${this.#family}/members`)).members
  }

  async setRole(userId: string, role: Role): Promise<void> {
    await this.session.request("PUT", `${this.#family}/members/${userId}`, { role })
  }

  /** Removes a member from the family, its conversation and its groups. */
  async remove(userId: string): Promise<void> {
    await this.session.request("DELETE", `${this.#family}/members/${userId}`)
  }

  async devices(userId: string): Promise<readonly MemberDevice[]> {
    const path = `${this.#family}/members/${userId}/devices`
    return (await this.session.request<{ devices: MemberDevice[] }>("GET", path)).devices
  }

  async signOut(userId: string, deviceId: string): Promise<void> {
    await this.session.request("DELETE", `${this.#family}/members/${userId}/devices/${deviceId}`)
  }

  async invites(): Promise<readonly PendingInvite[]> {
    return (await this.session.request<{ invites: PendingInvite[] }>("GET", `${this.#family}/invites`)).invites
  }

  async revokeInvite(inviteId: string): Promise<void> {
    await this.session.request("DELETE", `${this.#family}/invites/${inviteId}`)
  }

  /** Returns a page of admin actions, newest first, optionally older than an entry. */
  async history(before?: string): Promise<FamilyHistoryPage> {
    const from = before === undefined ? "" : `&before=${before}`
    return await this.session.request<FamilyHistoryPage>("GET", `${this.#family}/ledger?limit=20${from}`)
  }

  async storage(): Promise<StorageUsage> {
    return await this.session.request<StorageUsage>("GET", `${this.#family}/storage`)
  }
}
