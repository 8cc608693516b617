/** Somebody gets an account, and with it a place to talk from the first moment on. */
import { request } from "../api/http"
import { createPasskey } from "./passkeys"
import type { NewMemberSession, ConversationSummary } from "../api/types"

export interface SignUpResult {
  readonly view: NewMemberSession
  /** The conversation of the whole family. */
  readonly conversationId: string
}

/** One arrival, which may take several attempts: what is done is not done again. */
export class SignUp {
  #view: NewMemberSession | undefined
  #passkeyAttempted = false

  /**
   * Make the account, a passkey if that is wanted, and the first conversations.
   *
   * @throws {ApiError} the server refuses
   * @throws {Unreachable} it does not answer
   * @throws {NoPasskey} the browser made none; the next attempt goes on without
   */
  async run(create: () => Promise<NewMemberSession>, password: string, withPasskey: boolean): Promise<SignUpResult> {
    this.#view ??= await create()
    const { access_token, family_id } = this.#view
    if (withPasskey && !this.#passkeyAttempted) {
      this.#passkeyAttempted = true
      await createPasskey(access_token, password)
    }
    await request("POST", "/conversations/self", {}, access_token)
    const { id } = await request<ConversationSummary>("POST", "/conversations/family", { family_id }, access_token)
    return { view: this.#view, conversationId: id }
  }
}
