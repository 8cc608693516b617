/** The user's account on the server: devices, passkeys, profile and privacy settings. */
import { databaseName } from "../device/database"
import { createPasskey } from "./passkeys"
import type { Session } from "./session"
import type { Person, Role } from "../api/types"

export interface Device {
  readonly id: string
  readonly name: string
  readonly last_seen_at: string
  /** Whether this is the requesting device. */
  readonly current: boolean
}

export interface Passkey {
  readonly id: string
  readonly name: string
  readonly created_at: string
  readonly last_used_at: string | null
}

/** What other people can see about the user. */
export interface PrivacySettings {
  readonly read: boolean
  readonly typing: boolean
  readonly presence: boolean
}

/** An action of an admin or the operator on this account. */
export interface AccountEvent {
  readonly id: string
  readonly action:
    | "group_role_changed"
    | "group_member_removed"
    | "family_role_changed"
    | "family_member_removed"
    | "message_deleted"
    | "device_revoked"
    | "password_reset"
    | "account_deleted"
  /** Null for the server's operator. */
  readonly by_name: string | null
  /** Name of the group, family or device at that time. */
  readonly name: string | null
  /** The new role, for a role change. */
  readonly role: Role | null
  readonly inserted_at: string
}

export interface AccountHistoryPage {
  readonly entries: readonly AccountEvent[]
  readonly has_more: boolean
}

/** Every method throws what `Session.request` throws. */
export class Account {
  constructor(private readonly session: Session) {}

  async devices(): Promise<readonly Device[]> {
    return (await this.session.request<{ devices: Device[] }>("GET", "/devices")).devices
  }

  /** Signs out one of the user's devices. */
  async revoke(deviceId: string): Promise<void> {
    await this.session.request("DELETE", `/devices/${deviceId}`)
  }

  /** Changes display name or colour; null resets it. */
  async updateProfile(change: Partial<Pick<Person, "display_name" | "color">>): Promise<Person> {
    return await this.session.request<Person>("PATCH", "/me", change)
  }

  async uploadPicture(picture: Blob): Promise<Person> {
    return await this.session.putPicture<Person>("/me/picture", picture)
  }

  async removePicture(): Promise<Person> {
    return await this.session.request<Person>("DELETE", "/me/picture")
  }

  async privacy(): Promise<PrivacySettings> {
    return (await this.session.request<{ notices: PrivacySettings }>("GET", "/me")).notices
  }

  /** Changes privacy settings. */
  async updatePrivacy(change: Partial<PrivacySettings>): Promise<PrivacySettings> {
    return await this.session.request<PrivacySettings>("PATCH", "/me/notices", change)
  }

  async passkeys(): Promise<readonly Passkey[]> {
    return (await this.session.request<{ passkeys: Passkey[] }>("GET", "/me/passkeys")).passkeys
  }

  /**
   * Creates a passkey on this device.
   *
   * @throws {PasskeyFailed} the browser created none
   */
  async addPasskey(password: string): Promise<void> {
    await this.session.ensureFresh()
    await createPasskey(this.session.token, password)
  }

  async removePasskey(passkeyId: string): Promise<void> {
    await this.session.request("DELETE", `/me/passkeys/${passkeyId}`)
  }

  /** Returns a page of the account history, newest first, optionally older than an entry. */
  async history(before?: string): Promise<AccountHistoryPage> {
    const from = before === undefined ? "" : `&before=${before}`
    return await this.session.request<AccountHistoryPage>("GET", `/me/ledger?limit=20${from}`)
  }

  /** Deletes the account on the server and all its local data, including unsent messages. */
  async delete(password: string): Promise<void> {
    await this.session.request("DELETE", "/me", { password })
    this.session.discard()
    indexedDB.deleteDatabase(databaseName(this.session.user.id))
  }
}
