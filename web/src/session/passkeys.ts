/** The two ceremonies of passkeys, as the browser plays them: making one, and proving that one has it. */
import { hasPasskeys } from "../models/missing-features"
import { ask } from "../api/http"
import { thisDevice } from "./this-device"
import type { SessionView } from "../api/types"

/** Nothing came of it. `refused` is also what a browser says when its person has closed the question. */
export class NoPasskey extends Error {
  constructor(readonly why: "refused" | "here" | "elsewhere") {
    super(why)
  }
}

const WHYS: Readonly<Record<string, NoPasskey["why"]>> = {
  NotAllowedError: "refused",
  AbortError: "refused",
  InvalidStateError: "here",
  SecurityError: "elsewhere",
}

/** No browser makes a passkey for a site that has no name. */
const NUMBER = /^[\d.]+$|^\[/

interface Options {
  readonly options: object
}

/** Whether this browser has passkeys, at the address by which it came here. */
export function passkeysPossible(): boolean {
  return isSecureContext && hasPasskeys(window) && !NUMBER.test(location.hostname)
}

/**
 * Make a passkey for an account.
 *
 * @param password once more: a passkey lasts longer than a sign-in that was left open
 * @throws {NoPasskey} the browser made none
 * @throws {ApiError} it is not the password, or the server takes no passkey
 */
export async function makePasskey(token: string, password: string): Promise<void> {
  const { options } = await ask<Options>("POST", "/me/passkeys/options", { password }, token)
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON)
  const credential = await answered(navigator.credentials.create({ publicKey }))
  await ask("POST", "/me/passkeys", { credential }, token)
}

/**
 * Sign in with a passkey of this device.
 *
 * @throws {NoPasskey} the browser has none, or its person did not want to
 * @throws {ApiError} nobody has it any more
 */
export async function enterWithPasskey(): Promise<SessionView> {
  const { options } = await ask<Options>("POST", "/sessions/passkey/options", {})
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON)
  const credential = await answered(navigator.credentials.get({ publicKey }))
  return await ask<SessionView>("POST", "/sessions/passkey", { credential, ...thisDevice() })
}

async function answered(asked: Promise<Credential | null>): Promise<object> {
  const credential = await asked.catch((error: unknown) => {
    const why = error instanceof DOMException ? WHYS[error.name] : undefined
    throw why ? new NoPasskey(why) : error
  })
  if (credential === null) throw new NoPasskey("refused")
  return (credential as PublicKeyCredential).toJSON()
}
