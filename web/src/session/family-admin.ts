/** Family administration: what admins can do, and what any adult can do for a child. It never includes messages. */
import type { Session } from "./session"
import type {
  BackupStatus,
  ChildContact,
  FamilyAuditLog,
  FamilyStorage,
  Invite,
  Member,
  MemberDevice,
  ResetAgreement,
  ResetAgreements,
} from "../api/types"

export type {
  ChildContact,
  FamilyAuditEntry as FamilyEvent,
  FamilyStorage as StorageUsage,
  Invite as PendingInvite,
  MemberDevice,
  ResetAgreement,
} from "../api/types"

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

  async setRole(userId: string, role: Member["role"]): Promise<void> {
    await this.session.request("PUT", `${this.#family}/members/${userId}`, { role })
  }

  /** The people with whom a child has a direct chat. */
  async childContacts(userId: string): Promise<readonly ChildContact[]> {
    const path = `${this.#family}/members/${userId}/contacts`
    return (await this.session.request<{ contacts: ChildContact[] }>("GET", path)).contacts
  }

  async endChildContact(userId: string, contactId: string): Promise<void> {
    await this.session.request("DELETE", `${this.#family}/members/${userId}/contacts/${contactId}`)
  }

  async restoreChildContact(userId: string, contactId: string): Promise<void> {
    await this.session.request("PUT", `${this.#family}/members/${userId}/contacts/${contactId}`)
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

  /** Creates a link with which a member sets a new password. */
  async createResetLink(userId: string): Promise<string> {
    return (await this.session.request<{ url: string }>("PUT", `${this.#family}/members/${userId}/reset-link`)).url
  }

  /** The requests to reset the passwords of admins. */
  async resetAgreements(): Promise<readonly ResetAgreement[]> {
    return (await this.session.request<ResetAgreements>("GET", `${this.#family}/reset-agreements`)).agreements
  }

  /** Asks the other admins to agree to a link for an admin. */
  async askForReset(userId: string): Promise<void> {
    await this.session.request("PUT", `${this.#family}/members/${userId}/reset-agreement`)
  }

  async agreeToReset(userId: string): Promise<void> {
    await this.session.request("PUT", `${this.#family}/members/${userId}/reset-agreement/consent`)
  }

  /** Refuses a request, or withdraws the own one. */
  async cancelResetAgreement(userId: string): Promise<void> {
    await this.session.request("DELETE", `${this.#family}/members/${userId}/reset-agreement`)
  }

  async invites(): Promise<readonly Invite[]> {
    return (await this.session.request<{ invites: Invite[] }>("GET", `${this.#family}/invites`)).invites
  }

  async revokeInvite(inviteId: string): Promise<void> {
    await this.session.request("DELETE", `${this.#family}/invites/${inviteId}`)
  }

  /** Returns a page of admin actions, newest first, optionally older than an entry. */
  async history(before?: string): Promise<FamilyAuditLog> {
    const from = before === undefined ? "" : `&before=${before}`
    return await this.session.request<FamilyAuditLog>("GET", `${this.#family}/ledger?limit=20${from}`)
  }

  async storage(): Promise<FamilyStorage> {
    return await this.session.request<FamilyStorage>("GET", `${this.#family}/storage`)
  }

  /** The state of the server's backups. */
  async backups(): Promise<BackupStatus> {
    return await this.session.request<BackupStatus>("GET", `${this.#family}/backups`)
  }
}
