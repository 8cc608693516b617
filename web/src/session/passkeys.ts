/** The two ceremonies of passkeys, as the browser plays them: making one, and proving that one has it. */
import { hasPasskeys } from "../models/missing-features"
import { request } from "../api/http"
import { thisDevice } from "./this-device"
import type { SessionView } from "../api/types"

/** Nothing came of it. `refused` is also what a browser says when its person has closed the question. */
export class PasskeyFailed extends Error {
  constructor(readonly why: "refused" | "here" | "elsewhere") {
    super(why)
  }
}

const REASONS: Readonly<Record<string, PasskeyFailed["why"]>> = {
  NotAllowedError: "refused",
  AbortError: "refused",
  InvalidStateError: "here",
  SecurityError: "elsewhere",
}

/** No browser makes a passkey for a site that has no name. */
const IP_ADDRESS = /^[\d.]+$|^\[/

interface CeremonyOptions {
  readonly options: object
}

/** Whether this browser has passkeys, at the address by which it came here. */
export function passkeysAvailable(): boolean {
  return isSecureContext && hasPasskeys(window) && !IP_ADDRESS.test(location.hostname)
}

/**
 * Make a passkey for an account.
 *
 * @param password once more: a passkey lasts longer than a sign-in that was left open
 * @throws {PasskeyFailed} the browser made none
 * @throws {ApiError} it is not the password, or the server takes no passkey
 */
export async function createPasskey(token: string, password: string): Promise<void> {
  const { options } = await request<CeremonyOptions>("POST", "/me/passkeys/options", { password }, token)
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON)
  const credential = await credentialFrom(navigator.credentials.create({ publicKey }))
  await request("POST", "/me/passkeys", { credential }, token)
}

/**
 * Sign in with a passkey of this device.
 *
 * @throws {PasskeyFailed} the browser has none, or its person did not want to
 * @throws {ApiError} nobody has it any more
 */
export async function signInWithPasskey(): Promise<SessionView> {
  const { options } = await request<CeremonyOptions>("POST", "/sessions/passkey/options", {})
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON)
  const credential = await credentialFrom(navigator.credentials.get({ publicKey }))
  return await request<SessionView>("POST", "/sessions/passkey", { credential, ...thisDevice() })
}

async function credentialFrom(prompt: Promise<Credential | null>): Promise<object> {
  const credential = await prompt.catch((error: unknown) => {
    const why = error instanceof DOMException ? REASONS[error.name] : undefined
    throw why ? new PasskeyFailed(why) : error
  })
  if (credential === null) throw new PasskeyFailed("refused")
  return (credential as PublicKeyCredential).toJSON()
}
