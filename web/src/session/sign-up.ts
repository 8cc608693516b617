/** Creates an account and its first conversations. */
import { request } from "../api/http"
import { createPasskey } from "./passkeys"
import type { NewMemberSession, ConversationSummary } from "../api/types"

export interface SignUpResult {
  readonly view: NewMemberSession
  /** The family conversation. */
  readonly conversationId: string
}

/** A sign-up that can be retried; completed steps are not repeated. */
export class SignUp {
  #view: NewMemberSession | undefined
  #passkeyAttempted = false

  /**
   * Creates the account, optionally a passkey, and the first conversations.
   *
   * @throws {ApiError} the server returned an error
   * @throws {Unreachable} no response
   * @throws {PasskeyFailed} the browser created none; the next attempt continues without
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
