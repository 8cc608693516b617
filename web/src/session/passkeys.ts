/** The browser's side of WebAuthn: creating a passkey, and signing in with one. */
import { hasPasskeys } from "../models/missing-features"
import { request } from "../api/http"
import { thisDevice } from "./this-device"
import type { SessionView } from "../api/types"

/** The browser returned no passkey. `refused` is also reported when the user cancels the dialog. */
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

/** Browsers do not support passkeys for sites addressed by IP. */
const IP_ADDRESS = /^[\d.]+$|^\[/

interface CeremonyOptions {
  readonly options: object
}

/** Whether this browser supports passkeys at the current address. */
export function passkeysAvailable(): boolean {
  return isSecureContext && hasPasskeys(window) && !IP_ADDRESS.test(location.hostname)
}

/**
 * Creates a passkey for an account.
 *
 * @param password required again, because a passkey outlives a session left open
 * @throws {PasskeyFailed} the browser created none
 * @throws {ApiError} wrong password, or the server rejects the passkey
 */
export async function createPasskey(token: string, password: string): Promise<void> {
  const { options } = await request<CeremonyOptions>("POST", "/me/passkeys/options", { password }, token)
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON)
  const credential = await credentialFrom(navigator.credentials.create({ publicKey }))
  await request("POST", "/me/passkeys", { credential }, token)
}

/**
 * Signs in with a passkey of this device.
 *
 * @throws {PasskeyFailed} the browser has none, or the user cancelled
 * @throws {ApiError} the passkey has been removed from its account
 */
export async function signInWithPasskey(): Promise<SessionView> {
  const { options } = await request<CeremonyOptions>("POST", "/sessions/passkey/options", {})
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON)
  const credential = await credentialFrom(navigator.credentials.get({ publicKey }))
  return await request<SessionView>("POST", "/sessions/passkey", { credential, ...thisDevice() })
}

/**
 * Waits for the user, and returns what the server verifies. It uses no extension results, and must not receive them: those
 * of `prf` and `largeBlob` are secrets, which `toJSON` includes.
 */
async function credentialFrom(prompt: Promise<Credential | null>): Promise<object> {
  const credential = await prompt.catch((error: unknown) => {
    const why = error instanceof DOMException ? REASONS[error.name] : undefined
    throw why ? new PasskeyFailed(why) : error
  })
  if (credential === null) throw new PasskeyFailed("refused")
  return { ...(credential as PublicKeyCredential).toJSON(), clientExtensionResults: {} }
}
