/** One's own account, as the server keeps it: devices, passkeys, and what others are told. */
import { databaseName } from "../device/database"
import { createPasskey } from "./passkeys"
import type { Session } from "./session"
import type { AuditLog, Device, Notices, Passkey, Person } from "../api/types"

export type { AuditEntry as AccountEvent, Device, Notices as PrivacySettings, Passkey } from "../api/types"

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

  async privacy(): Promise<Notices> {
    return (await this.session.request<{ notices: Notices }>("GET", "/me")).notices
  }

  /** Choose what others are told, from now on. */
  async updatePrivacy(change: Partial<Notices>): Promise<Notices> {
    return await this.session.request<Notices>("PATCH", "/me/notices", change)
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
  async history(before?: string): Promise<AuditLog> {
    const from = before === undefined ? "" : `&before=${before}`
    return await this.session.request<AuditLog>("GET", `/me/ledger?limit=20${from}`)
  }

  /** End the account, on the server, and forget here what was kept for it, also what was not sent. */
  async delete(password: string): Promise<void> {
    await this.session.request("DELETE", "/me", { password })
    this.session.discard()
    indexedDB.deleteDatabase(databaseName(this.session.user.id))
  }
}
