/** Where the bytes of attachments are, for the next minutes: asked once, and again when an address is about to expire. */
import type { Session } from "./session"
import type { Address } from "./shapes"

const MARGIN_MS = 30_000

export class Addresses {
  readonly #known = new Map<string, Promise<Address>>()

  constructor(private readonly session: Session) {}

  /**
   * @throws {ApiError} this person cannot see it any more
   * @throws {Unreachable} the server does not answer
   */
  async of(attachmentId: string): Promise<Address> {
    const known = this.#known.get(attachmentId)
    if (known && Date.parse((await known).expires_at) - Date.now() > MARGIN_MS) return await known
    const asked = this.session.ask<Address>("GET", `/attachments/${attachmentId}/address`)
    this.#known.set(attachmentId, asked)
    asked.catch(() => this.#known.delete(attachmentId))
    return await asked
  }
}
