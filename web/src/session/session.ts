/**
 * Who is signed in here, with tokens that are renewed before they run out.
 *
 * The tokens are in `localStorage`: a family member wants to stay signed in for months, and all tabs must agree on the
 * newest refresh token, because using an old one signs the device out. A cookie that scripts cannot read would not be
 * safer here, as the socket needs a token from a script; what protects them is the Content-Security-Policy, which lets
 * no foreign script run. The access token is kept with it, so that a reload need not refresh: an answer that a reload
 * cuts off would be lost, and with it the sign-in. The two live and die together, in one entry.
 */
import { ApiError, ask, loadAs, sendPicture, sendPiece, Unreachable, type Method } from "../api/http"
import { kindOfThisDevice } from "./this-device"
import type { SessionView } from "../api/types"
import { inTurn, isSpent, pause, spend } from "../device/cross-tab-lock"

const KEY = "famichat.session"
const MARGIN_MS = 90_000
/** How long what another tab stored may be on its way to this one. */
const SIGHT_MS = 10_000
const LOOK_AGAIN_MS = 20

interface Kept {
  readonly access_token: string
  readonly expires_at: number
  readonly refresh_token: string
  readonly user: { readonly id: string; readonly username: string }
  readonly device_id: string
}

export class Session {
  readonly user: { readonly id: string; readonly username: string }
  readonly deviceId: string
  /** Called once, when this device is not signed in any more. */
  onEnded: () => void = () => undefined
  #kept: Kept
  #renewing: Promise<void> | undefined

  private constructor(kept: Kept) {
    this.#kept = kept
    this.user = kept.user
    this.deviceId = kept.device_id
    addEventListener("storage", (event) => {
      if (event.key === KEY || event.key === null) this.#adopt()
    })
  }

  /** Keep what a sign-in, a setup or an accepted invitation answered. */
  static begin(view: SessionView): Session {
    return new Session(keep(view))
  }

  /** The one that was kept on this device, if any. */
  static kept(): Session | undefined {
    const kept = read()
    return kept && new Session(kept)
  }

  /** The access token as it is now, for the socket, which cannot wait. */
  get token(): string {
    return this.#kept.access_token
  }

  /**
   * Ask the server as this person.
   *
   * @throws {ApiError} it refuses
   * @throws {Unreachable} it does not answer
   */
  async ask<Answer>(method: Method, path: string, body?: object): Promise<Answer> {
    return await this.#signedIn((token) => ask<Answer>(method, path, body, token))
  }

  /** Send a piece of a file as this person; see `ask`. */
  async piece<Answer>(path: string, offset: number, piece: Blob): Promise<Answer> {
    return await this.#signedIn((token) => sendPiece<Answer>(path, offset, piece, token))
  }

  /** Send a picture as this person; see `ask`. */
  async picture<Answer>(path: string, picture: Blob): Promise<Answer> {
    return await this.#signedIn((token) => sendPicture<Answer>(path, picture, token))
  }

  /** Fetch bytes as this person, from an address that the server gave; see `ask`. */
  async load(address: string): Promise<ArrayBuffer> {
    return await this.#signedIn((token) => loadAs(address, token))
  }

  /** Make sure that the access token is good for a while yet. */
  async fresh(): Promise<void> {
    this.#adopt()
    if (this.#kept.expires_at - Date.now() < MARGIN_MS) await this.#renew(this.token)
  }

  /** Sign this device out: on the server, if it can be reached, and here in any case. */
  async end(): Promise<void> {
    try {
      await this.ask("DELETE", "/sessions/current")
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
    } finally {
      this.#ended()
    }
  }

  async #signedIn<Answer>(asking: (token: string) => Promise<Answer>): Promise<Answer> {
    await this.fresh()
    try {
      return await asking(this.token)
    } catch (error) {
      // A wrong password is a 401, too: asked once more, it would count as a second guess.
      if (!(error instanceof ApiError) || error.code !== "invalid_token") throw error
      await this.#renew(this.token)
      return await asking(this.token)
    }
  }

  /** The server has ended it already. */
  forget(): void {
    this.#ended()
  }

  #renew(stale: string): Promise<void> {
    this.#renewing ??= inTurn(KEY, () => this.#renewOnce(stale)).finally(() => (this.#renewing = undefined))
    return this.#renewing
  }

  async #renewOnce(stale: string): Promise<void> {
    this.#adopt()
    await this.#seeNext()
    if (this.token !== stale) return // another tab was faster
    const { refresh_token } = this.#kept
    try {
      const offered = { refresh_token, ...kindOfThisDevice() }
      this.#kept = keep(await ask<SessionView>("POST", "/sessions/refresh", offered))
      await spend(KEY, refresh_token)
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#ended()
      throw error
    }
  }

  /** Where another tab has the next tokens already, wait until they are to be seen here: the old would sign us out. */
  async #seeNext(): Promise<void> {
    const deadline = Date.now() + SIGHT_MS
    const { refresh_token } = this.#kept
    if (!(await isSpent(KEY, refresh_token))) return
    while (this.#kept.refresh_token === refresh_token) {
      if (Date.now() > deadline) throw new Unreachable("the tokens of another tab")
      await pause(LOOK_AGAIN_MS)
      this.#adopt()
    }
  }

  #adopt(): void {
    const kept = read()
    if (kept?.device_id === this.deviceId) this.#kept = kept
    else this.#ended(false)
  }

  #ended(forget = true): void {
    if (forget) localStorage.removeItem(KEY)
    const tell = this.onEnded
    this.onEnded = () => undefined
    tell()
  }
}

function keep(view: SessionView): Kept {
  const { access_token, refresh_token, user, device_id } = view
  const kept = { access_token, refresh_token, user, device_id, expires_at: Date.now() + view.expires_in * 1000 }
  localStorage.setItem(KEY, JSON.stringify(kept))
  return kept
}

function read(): Kept | undefined {
  const found = localStorage.getItem(KEY)
  if (found === null) return undefined
  try {
    return JSON.parse(found) as Kept
  } catch (error) {
    if (error instanceof SyntaxError) return undefined // whoever wrote that, one can sign in again
    throw error
  }
}
