/** HTTP client for the API, with its two kinds of failure. */
import { randomId } from "./random-id"
import { toJson } from "./json"

const ROOT = "/api/v1"
/** After this, a request counts as lost: a network that silently drops packets never reports an error. */
const TIMEOUT_MS = 15_000
/** Enough for a chunk of an upload over a slow mobile network (50 kbit/s). */
const CHUNK_TIMEOUT_MS = 90_000
const FORBIDDEN = 403
/** Statuses with which a proxy in front of the server refuses a single request. */
const REFUSED_BY_PROXY = new Set([413, 429])
/** RFC 6585, section 6: a captive portal wants the user to sign in. */
const NETWORK_AUTHENTICATION_REQUIRED = 511

/** The server returned an error. `code` is listed in `docs/errors.md`. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    /** Free usernames, if the chosen one is taken. */
    readonly suggestions: readonly string[] = [],
  ) {
    super(`${status} ${code}`)
  }
}

/** No response: the network or the server is down. */
export class Unreachable extends Error {}

/** Something other than Famichat responded: a captive portal, or another server at this address. */
export class NotFamichat extends Unreachable {}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

/**
 * Sends a request to the API. A POST without a response is repeated once, with the same idempotency key. If it fails
 * again, the key is kept for the next time the user sends the same.
 *
 * @param key the idempotency key of a POST that may be repeated after a reload; a random one by default
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response
 */
export async function request<Result>(
  method: Method,
  path: string,
  body?: object,
  token?: string,
  key?: string,
): Promise<Result> {
  const headers = new Headers()
  if (body !== undefined) headers.set("content-type", "application/json")
  const json = body === undefined ? {} : { body: toJson(body) }
  if (method !== "POST") return await fetchJson<Result>(path, token, { method, headers, ...json })
  return await post<Result>(path, token, { method, headers, ...json }, key)
}

/**
 * Uploads a chunk of a file, starting at byte `offset`.
 *
 * @param signal aborts the upload, which then throws `Unreachable`
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response
 */
export async function sendChunk<Result>(
  path: string,
  offset: number,
  chunk: Blob,
  token: string,
  signal: AbortSignal,
): Promise<Result> {
  const headers = new Headers({ "content-type": "application/offset+octet-stream", "upload-offset": `${offset}` })
  const timeoutMs = CHUNK_TIMEOUT_MS
  return await fetchJson<Result>(path, token, { method: "PATCH", headers, body: chunk, signal, timeoutMs })
}

/**
 * Downloads a file from its signed URL.
 *
 * @throws {ApiError} the URL has expired, or the user may no longer see the file
 * @throws {Unreachable} no response, or an incomplete one
 */
export async function download(url: string): Promise<Blob> {
  return await exchange(url, url, { headers: new Headers() }, async (response, arrived) => {
    const parts: BlobPart[] = []
    for (const reader = response.body?.getReader(); reader;) {
      const { done, value } = await reader.read()
      if (done) break
      parts.push(value)
      arrived()
    }
    return new Blob(parts, { type: response.headers.get("content-type") ?? "" })
  })
}

/**
 * Uploads a picture in one request.
 *
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response
 */
export async function putPicture<Result>(path: string, picture: Blob, token: string): Promise<Result> {
  const headers = new Headers({ "content-type": "application/octet-stream" })
  return await fetchJson<Result>(path, token, { method: "PUT", headers, body: picture })
}

/**
 * Downloads bytes from an API URL with an access token.
 *
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response, or an incomplete one
 */
export async function downloadAs(url: string, token: string): Promise<ArrayBuffer> {
  const path = url.startsWith(ROOT) ? url.slice(ROOT.length) : `/${url}`
  return await send(path, token, { headers: new Headers() }, (response) => response.arrayBuffer())
}

/**
 * Returns whether the server accepts connections from pages of this address. Long polling answers this without a
 * session, and unlike a WebSocket says why it refuses.
 *
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response
 */
export async function socketAllowed(): Promise<boolean> {
  const url = "/socket/longpoll?vsn=2.0.0"
  const { status } = await exchange(url, url, { method: "POST", headers: new Headers() }, async (response) => {
    if (!isJson(response)) throw new NotFamichat(url)
    return (await response.json()) as { readonly status: number }
  })
  return status !== FORBIDDEN
}

interface RequestOptions extends RequestInit {
  readonly headers: Headers
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  readonly body?: BodyInit
}

/** The POST requests of this page whose outcome is unknown, by path: at most one each. */
const unanswered = new Map<string, { readonly body: BodyInit | undefined; readonly key: string }>()

async function post<Result>(
  path: string,
  token: string | undefined,
  request: RequestOptions,
  fixedKey?: string,
): Promise<Result> {
  const { body } = request
  const earlier = unanswered.get(path)
  const key = fixedKey ?? (earlier?.body === body ? earlier?.key : undefined) ?? randomId()
  request.headers.set("idempotency-key", key)
  const send = () => fetchJson<Result>(path, token, request)
  try {
    const result = await send().catch((error: unknown) => {
      if (error instanceof Unreachable && error.cause instanceof TypeError) return send() // not after a timeout
      throw error
    })
    unanswered.delete(path)
    return result
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) unanswered.delete(path)
    else unanswered.set(path, { body, key })
    throw error
  }
}

async function fetchJson<Result>(path: string, token: string | undefined, request: RequestOptions): Promise<Result> {
  request.headers.set("accept", "application/json")
  return await send(path, token, request, async (response) => {
    if (response.status === 204) return undefined as Result
    if (!isJson(response)) throw new NotFamichat(path)
    return (await response.json()) as Result
  })
}

async function send<Result>(
  path: string,
  token: string | undefined,
  request: RequestOptions,
  read: (response: Response) => Promise<Result>,
): Promise<Result> {
  if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`)
  return await exchange(path, ROOT + path, request, read)
}

/**
 * Sends a request and reads the response. A crashing server truncates it, and a dead network never ends it.
 *
 * @param read reads the body; calling `arrived` restarts the timeout
 */
async function exchange<Result>(
  what: string,
  url: string,
  { signal, timeoutMs = TIMEOUT_MS, ...request }: RequestOptions,
  read: (response: Response, arrived: () => void) => Promise<Result>,
): Promise<Result> {
  // Not `AbortSignal.any`, which Safari 16 lacks.
  const controller = new AbortController()
  const abort = () => controller.abort()
  let timer = setTimeout(abort, timeoutMs)
  const arrived = () => {
    clearTimeout(timer)
    timer = setTimeout(abort, timeoutMs)
  }
  signal?.addEventListener("abort", abort)
  try {
    const response = await fetch(url, { ...request, signal: controller.signal })
    if (!response.ok) throw await errorFrom(response)
    return await read(response, arrived)
  } catch (error) {
    if (error instanceof ApiError || error instanceof Unreachable) throw error
    throw new Unreachable(what, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener("abort", abort)
  }
}

function isJson(response: Response): boolean {
  return response.headers.get("content-type")?.includes("json") ?? false
}

/** Returns the error that a response reports. Errors without JSON come from a proxy in between, or from another server. */
async function errorFrom(response: Response): Promise<ApiError | NotFamichat> {
  const { status } = response
  if (!isJson(response)) {
    const fromProxy = status >= 500 ? status !== NETWORK_AUTHENTICATION_REQUIRED : REFUSED_BY_PROXY.has(status)
    return fromProxy
      ? new ApiError(status, status > 500 ? "unavailable" : "internal_error")
      : new NotFamichat(response.url)
  }
  const problem = (await response.json()) as { code?: string; suggestions?: string[] }
  return new ApiError(status, problem.code ?? "internal_error", problem.suggestions)
}
