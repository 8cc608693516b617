/**
 * Who is signed in here, with tokens that are renewed before they run out.
 *
 * The tokens are in `localStorage`: a family member wants to stay signed in for months, and all tabs must agree on the
 * newest refresh token, because using an old one signs the device out. A cookie that scripts cannot read would not be
 * safer here, as the socket needs a token from a script; what protects them is the Content-Security-Policy, which lets
 * no foreign script run. The access token is kept with it, so that a reload need not refresh: an answer that a reload
 * cuts off would be lost, and with it the sign-in. The two live and die together, in one entry.
 */
import { ApiError, request, downloadAs, putPicture, sendChunk, Unreachable, type Method } from "../api/http"
import { thisDeviceKind } from "./this-device"
import type { SessionView } from "../api/types"
import { withLock, isSpent, sleep, markSpent } from "../device/cross-tab-lock"

const KEY = "famichat.session"
const REFRESH_MARGIN_MS = 90_000
/** How long what another tab stored may be on its way to this one. */
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
  /** Called once, when this device is not signed in any more. */
  onEnded: () => void = () => undefined
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

  /** Keep what a sign-in, a setup or an accepted invitation answered. */
  static start(view: SessionView): Session {
    return new Session(save(view))
  }

  /** The one that was kept on this device, if any. */
  static restore(): Session | undefined {
    const saved = readSaved()
    return saved && new Session(saved)
  }

  /** The access token as it is now, for the socket, which cannot wait. */
  get token(): string {
    return this.#saved.access_token
  }

  /**
   * Ask the server as this person.
   *
   * @throws {ApiError} it refuses
   * @throws {Unreachable} it does not answer
   */
  async request<Answer>(method: Method, path: string, body?: object): Promise<Answer> {
    return await this.#authorized((token) => request<Answer>(method, path, body, token))
  }

  /** Send a piece of a file as this person; see `ask`. */
  async sendChunk<Answer>(path: string, offset: number, chunk: Blob): Promise<Answer> {
    return await this.#authorized((token) => sendChunk<Answer>(path, offset, chunk, token))
  }

  /** Send a picture as this person; see `ask`. */
  async putPicture<Answer>(path: string, picture: Blob): Promise<Answer> {
    return await this.#authorized((token) => putPicture<Answer>(path, picture, token))
  }

  /** Fetch bytes as this person, from an address that the server gave; see `ask`. */
  async download(address: string): Promise<ArrayBuffer> {
    return await this.#authorized((token) => downloadAs(address, token))
  }

  /** Make sure that the access token is good for a while yet. */
  async ensureFresh(): Promise<void> {
    this.#reload()
    if (this.#saved.expires_at - Date.now() < REFRESH_MARGIN_MS) await this.#renew(this.token)
  }

  /** Sign this device out: on the server, if it can be reached, and here in any case. */
  async end(): Promise<void> {
    try {
      await this.request("DELETE", "/sessions/current")
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
    } finally {
      this.#ended()
    }
  }

  async #authorized<Answer>(send: (token: string) => Promise<Answer>): Promise<Answer> {
    await this.ensureFresh()
    try {
      return await send(this.token)
    } catch (error) {
      // A wrong password is a 401, too: asked once more, it would count as a second guess.
      if (!(error instanceof ApiError) || error.code !== "invalid_token") throw error
      await this.#renew(this.token)
      return await send(this.token)
    }
  }

  /** The server has ended it already. */
  discard(): void {
    this.#ended()
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

  /** Where another tab has the next tokens already, wait until they are to be seen here: the old would sign us out. */
  async #awaitNextTokens(): Promise<void> {
    const deadline = Date.now() + VISIBILITY_TIMEOUT_MS
    const { refresh_token } = this.#saved
    if (!(await isSpent(KEY, refresh_token))) return
    while (this.#saved.refresh_token === refresh_token) {
      if (Date.now() > deadline) throw new Unreachable("the tokens of another tab")
      await sleep(VISIBILITY_POLL_MS)
      this.#reload()
    }
  }

  #reload(): void {
    const saved = readSaved()
    if (saved?.device_id === this.deviceId) this.#saved = saved
    else this.#ended(false)
  }

  #ended(clearStorage = true): void {
    if (clearStorage) localStorage.removeItem(KEY)
    const notify = this.onEnded
    this.onEnded = () => undefined
    notify()
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
    if (error instanceof SyntaxError) return undefined // whoever wrote that, one can sign in again
    throw error
  }
}
