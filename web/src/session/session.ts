/**
 * The session of the signed-in user, with tokens that are refreshed before they expire.
 *
 * The tokens are in `localStorage`: users stay signed in for months, and all tabs must agree on the newest refresh
 * token, because using one after its successor signs the device out. An HttpOnly cookie would not be safer, since the socket needs a
 * token from a script; the Content-Security-Policy protects them by blocking foreign scripts. The access token is stored
 * with the refresh token, so that a reload does not need to refresh. Both are stored in one entry, so they cannot get out
 * of step. If the response to a refresh is lost, the server accepts the same refresh token again.
 */
import { ApiError, request, downloadAs, putPicture, sendChunk, Unreachable, type Method } from "../api/http"
import { thisDeviceKind } from "./this-device"
import type { SessionView } from "../api/types"
import { withLock, isSpent, sleep, markSpent } from "../device/cross-tab-lock"

const KEY = "famichat.session"
const REFRESH_MARGIN_MS = 90_000
/** The server's access tokens are valid for 15 minutes. */
const MAX_TOKEN_LIFE_MS = 60 * 60_000
/** How long another tab's write to `localStorage` may take to become visible here. */
const VISIBILITY_TIMEOUT_MS = 10_000
const VISIBILITY_POLL_MS = 20

interface SavedSession {
  readonly access_token: string
  readonly expires_at: number
  readonly refresh_token: string
  readonly user: { readonly id: string; readonly username: string }
  readonly device_id: string
}

export class Session {
  readonly user: { readonly id: string; readonly username: string }
  readonly deviceId: string
  /** Called once, when the session has ended; `here` is whether the user ended it in this tab. */
  onEnded: (here: boolean) => void = () => undefined
  #saved: SavedSession
  #renewing: Promise<void> | undefined

  private constructor(saved: SavedSession) {
    this.#saved = saved
    this.user = saved.user
    this.deviceId = saved.device_id
    addEventListener("storage", (event) => {
      if (event.key === KEY || event.key === null) this.#reload()
    })
  }

  /** Stores the session returned by a sign-in, a setup or an accepted invitation. */
  static start(view: SessionView): Session {
    return new Session(save(view))
  }

  /** Returns the stored session, if any. */
  static restore(): Session | undefined {
    const saved = readSaved()
    return saved && new Session(saved)
  }

  /** The current access token, for the socket, which needs it synchronously. */
  get token(): string {
    return this.#saved.access_token
  }

  /**
   * Sends an authenticated request; see `request` in `api/http`.
   *
   * @throws {ApiError} the server returned an error
   * @throws {Unreachable} no response
   */
  async request<Answer>(method: Method, path: string, body?: object, key?: string): Promise<Answer> {
    return await this.#authorized((token) => request<Answer>(method, path, body, token, key))
  }

  /** Uploads a chunk of a file; see `request`. */
  async sendChunk<Answer>(path: string, offset: number, chunk: Blob, signal: AbortSignal): Promise<Answer> {
    return await this.#authorized((token) => sendChunk<Answer>(path, offset, chunk, token, signal))
  }

  /** Uploads a picture; see `request`. */
  async putPicture<Answer>(path: string, picture: Blob): Promise<Answer> {
    return await this.#authorized((token) => putPicture<Answer>(path, picture, token))
  }

  /** Downloads bytes from an API URL; see `request`. */
  async download(address: string): Promise<ArrayBuffer> {
    return await this.#authorized((token) => downloadAs(address, token))
  }

  /** Refreshes the access token if it is about to expire. */
  async ensureFresh(): Promise<void> {
    this.#reload()
    const left = this.#saved.expires_at - Date.now()
    // The clock of this device was ahead when the token was stored, if more is left than the token was valid for.
    if (left < REFRESH_MARGIN_MS || left > MAX_TOKEN_LIFE_MS) await this.#renew(this.token)
  }

  /** Signs out: on the server if it is reachable, and locally in any case. */
  async end(): Promise<void> {
    try {
      await this.request("DELETE", "/sessions/current")
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
    } finally {
      this.#ended({ here: true })
    }
  }

  async #authorized<Answer>(send: (token: string) => Promise<Answer>): Promise<Answer> {
    await this.ensureFresh()
    try {
      return await send(this.token)
    } catch (error) {
      // A wrong password also returns 401; a retry would count as a second failed attempt.
      if (!(error instanceof ApiError) || error.code !== "invalid_token") throw error
      await this.#renew(this.token)
      return await send(this.token)
    }
  }

  /** Discards a session that the user has ended on the server. */
  discard(): void {
    this.#ended({ here: true })
  }

  #renew(stale: string): Promise<void> {
    this.#renewing ??= withLock(KEY, () => this.#renewOnce(stale)).finally(() => (this.#renewing = undefined))
    return this.#renewing
  }

  async #renewOnce(stale: string): Promise<void> {
    this.#reload()
    await this.#awaitNextTokens()
    if (this.token !== stale) return // another tab was faster
    const { refresh_token } = this.#saved
    try {
      const credentials = { refresh_token, ...thisDeviceKind() }
      this.#saved = save(await request<SessionView>("POST", "/sessions/refresh", credentials))
      await markSpent(KEY, refresh_token)
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.#ended()
      throw error
    }
  }

  /**
   * Waits until tokens refreshed by another tab are visible here. Using the old one after that tab has used its new one
   * would sign the device out. If none become visible, they were lost with that tab: the old one still works.
   */
  async #awaitNextTokens(): Promise<void> {
    const deadline = Date.now() + VISIBILITY_TIMEOUT_MS
    const { refresh_token } = this.#saved
    if (!(await isSpent(KEY, refresh_token))) return
    while (this.#saved.refresh_token === refresh_token) {
      if (Date.now() > deadline) return
      await sleep(VISIBILITY_POLL_MS)
      this.#reload()
    }
  }

  #reload(): void {
    const saved = readSaved()
    if (saved?.device_id === this.deviceId) this.#saved = saved
    else this.#ended({ clearStorage: false })
  }

  #ended({ here = false, clearStorage = true } = {}): void {
    if (clearStorage) localStorage.removeItem(KEY)
    const notify = this.onEnded
    this.onEnded = () => undefined
    notify(here)
  }
}

function save(view: SessionView): SavedSession {
  const { access_token, refresh_token, user, device_id } = view
  const saved = { access_token, refresh_token, user, device_id, expires_at: Date.now() + view.expires_in * 1000 }
  localStorage.setItem(KEY, JSON.stringify(saved))
  return saved
}

function readSaved(): SavedSession | undefined {
  const stored = localStorage.getItem(KEY)
  if (stored === null) return undefined
  try {
    return JSON.parse(stored) as SavedSession
  } catch (error) {
    if (error instanceof SyntaxError) return undefined // corrupt data: the user signs in again
    throw error
  }
}
