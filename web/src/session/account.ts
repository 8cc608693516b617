/** One's own account, as the server keeps it: devices, passkeys, and what others are told. */
import { databaseName } from "../device/database"
import { createPasskey } from "./passkeys"
import type { Session } from "./session"
import type { Person, Role } from "../api/types"

export interface Device {
  readonly id: string
  readonly name: string
  readonly last_seen_at: string
  /** The one that asks. */
  readonly current: boolean
}

export interface Passkey {
  readonly id: string
  readonly name: string
  readonly created_at: string
  readonly last_used_at: string | null
}

/** What others are told of somebody. */
export interface PrivacySettings {
  readonly read: boolean
  readonly typing: boolean
  readonly presence: boolean
}

/** Something that an admin or the operator did to somebody. */
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
  /** Empty for the operator of the server. */
  readonly by_name: string | null
  /** What the group, the family or the device was called. */
  readonly name: string | null
  /** What a changed role became. */
  readonly role: Role | null
  readonly inserted_at: string
}

export interface AccountHistoryPage {
  readonly entries: readonly AccountEvent[]
  readonly has_more: boolean
}

/** Every method throws what `Session.ask` does. */
export class Account {
  constructor(private readonly session: Session) {}

  async devices(): Promise<readonly Device[]> {
    return (await this.session.request<{ devices: Device[] }>("GET", "/devices")).devices
  }

  /** Sign one of one's devices out, wherever it is. */
  async revoke(deviceId: string): Promise<void> {
    await this.session.request("DELETE", `/devices/${deviceId}`)
  }

  /** Be shown under another name, or in another colour; null takes back what was chosen. */
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

  /** Choose what others are told, from now on. */
  async updatePrivacy(change: Partial<PrivacySettings>): Promise<PrivacySettings> {
    return await this.session.request<PrivacySettings>("PATCH", "/me/notices", change)
  }

  async passkeys(): Promise<readonly Passkey[]> {
    return (await this.session.request<{ passkeys: Passkey[] }>("GET", "/me/passkeys")).passkeys
  }

  /**
   * Make a passkey on this device.
   *
   * @throws {NoPasskey} the browser made none
   */
  async addPasskey(password: string): Promise<void> {
    await this.session.ensureFresh()
    await createPasskey(this.session.token, password)
  }

  async removePasskey(passkeyId: string): Promise<void> {
    await this.session.request("DELETE", `/me/passkeys/${passkeyId}`)
  }

  /** What was done, the newest first: from the beginning, or what comes after an entry. */
  async history(before?: string): Promise<AccountHistoryPage> {
    const from = before === undefined ? "" : `&before=${before}`
    return await this.session.request<AccountHistoryPage>("GET", `/me/ledger?limit=20${from}`)
  }

  /** End the account, on the server, and forget here what was kept for it, also what was not sent. */
  async delete(password: string): Promise<void> {
    await this.session.request("DELETE", "/me", { password })
    this.session.discard()
    indexedDB.deleteDatabase(databaseName(this.session.user.id))
  }
}
