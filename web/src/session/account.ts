/** The user's account on the server: devices, passkeys, profile and privacy settings. */
import { keyDatabaseName } from "../crypto/key-database-name"
import { blobDatabaseName } from "../device/blobs"
import { databaseName } from "../device/database"
import { EncryptedSince } from "../device/encrypted-since"
import { recordingDatabaseName } from "../device/recording-store"
import { createPasskey } from "./passkeys"
import type { Session } from "./session"
import type { AuditLog, Block, Device, Me, Notices, Passkey, Person, Setup } from "../api/types"

export type { AuditEntry as AccountEvent, Device, Notices as PrivacySettings, Passkey } from "../api/types"

export interface EmailStatus {
  readonly email: string | null
  readonly confirmed: boolean
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

  async privacy(): Promise<Notices> {
    return (await this.session.request<{ notices: Notices }>("GET", "/me")).notices
  }

  /** Changes privacy settings. */
  async updatePrivacy(change: Partial<Notices>): Promise<Notices> {
    return await this.session.request<Notices>("PATCH", "/me/notices", change)
  }

  /** The people whom the user blocks, the first blocked first. */
  async blocks(): Promise<readonly Block[]> {
    return (await this.session.request<{ blocks: Block[] }>("GET", "/me/blocks")).blocks
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

  /** Changes the password; optionally signs out the other devices and deletes all passkeys. */
  async changePassword(current: string, next: string, signOutOthers: boolean): Promise<void> {
    await this.session.request("PUT", "/me/password", {
      current_password: current,
      new_password: next,
      sign_out_other_devices: signOutOthers,
    })
  }

  async removePasskey(passkeyId: string): Promise<void> {
    await this.session.request("DELETE", `/me/passkeys/${passkeyId}`)
  }

  /** The user's email address; undefined if the server sends no email. */
  async emailStatus(): Promise<EmailStatus | undefined> {
    if (!(await this.session.request<Setup>("GET", "/setup")).email) return undefined
    const { email, confirmed_at } = await this.session.request<Me>("GET", "/me")
    return { email, confirmed: confirmed_at !== null }
  }

  /** Changes or, with null, removes the email address. A new one is not confirmed yet. */
  async changeEmail(email: string | null, password: string): Promise<void> {
    await this.session.request("PUT", "/me/email", { email, current_password: password })
  }

  /** Sends an email with a link that confirms the user's address. */
  async sendEmailConfirmation(language: string): Promise<void> {
    await this.session.request("POST", "/me/email/confirmation", { language })
  }

  /** Cancels a reset of the password that admins agree on, and makes a link that exists invalid. */
  async cancelReset(): Promise<void> {
    await this.session.request("DELETE", "/me/password-reset")
  }

  /** Returns a page of the account history, newest first, optionally older than an entry. */
  async history(before?: string): Promise<AuditLog> {
    const from = before === undefined ? "" : `&before=${before}`
    return await this.session.request<AuditLog>("GET", `/me/ledger?limit=20${from}`)
  }

  /** Deletes the account on the server and all its local data, including unsent messages. */
  async delete(password: string): Promise<void> {
    await this.session.request("DELETE", "/me", { password })
    this.session.discard()
    for (const name of [databaseName, blobDatabaseName, recordingDatabaseName, keyDatabaseName]) {
      indexedDB.deleteDatabase(name(this.session.user.id))
    }
    EncryptedSince.delete(this.session.user.id)
  }
}
