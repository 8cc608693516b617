/** Somebody gets an account, and with it a place to talk from the first moment on. */
import { ask } from "../api/http"
import { makePasskey } from "./passkeys"
import type { ArrivedView, Conversation } from "../api/types"

export interface Arrived {
  readonly view: ArrivedView
  /** The conversation of the whole family. */
  readonly conversationId: string
}

/** One arrival, which may take several attempts: what is done is not done again. */
export class Arrival {
  #view: ArrivedView | undefined
  #triedPasskey = false

  /**
   * Make the account, a passkey if that is wanted, and the first conversations.
   *
   * @throws {ApiError} the server refuses
   * @throws {Unreachable} it does not answer
   * @throws {NoPasskey} the browser made none; the next attempt goes on without
   */
  async attempt(make: () => Promise<ArrivedView>, password: string, withPasskey: boolean): Promise<Arrived> {
    this.#view ??= await make()
    const { access_token, family_id } = this.#view
    if (withPasskey && !this.#triedPasskey) {
      this.#triedPasskey = true
      await makePasskey(access_token, password)
    }
    await ask("POST", "/conversations/self", {}, access_token)
    const { id } = await ask<Conversation>("POST", "/conversations/family", { family_id }, access_token)
    return { view: this.#view, conversationId: id }
  }
}
