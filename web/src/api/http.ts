/** HTTP client for the API, with its two kinds of failure. */
import { toJson } from "./json"

const ROOT = "/api/v1"

/** The server returned an error. `code` is listed in `docs/errors.md`. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly field: string | undefined,
  ) {
    super(`${status} ${code}`)
  }
}

/** No response: the network or the server is down. */
export class Unreachable extends Error {}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

/**
 * Sends a request to the API.
 *
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response
 */
export async function request<Result>(method: Method, path: string, body?: object, token?: string): Promise<Result> {
  const headers = new Headers()
  if (body !== undefined) headers.set("content-type", "application/json")
  return await fetchJson<Result>(path, token, {
    method,
    headers,
    ...(body !== undefined && { body: toJson(body) }),
  })
}

/**
 * Uploads a chunk of a file, starting at byte `offset`.
 *
 * @throws {ApiError} the server returned an error
 * @throws {Unreachable} no response
 */
export async function sendChunk<Result>(path: string, offset: number, chunk: Blob, token: string): Promise<Result> {
  const headers = new Headers({ "content-type": "application/offset+octet-stream", "upload-offset": `${offset}` })
  return await fetchJson<Result>(path, token, { method: "PATCH", headers, body: chunk })
}

/**
 * Downloads a file from its signed URL.
 *
 * @throws {ApiError} the URL has expired, or the user may no longer see the file
 * @throws {Unreachable} no response, or an incomplete one
 */
export async function download(url: string): Promise<Blob> {
  const throwUnreachable = unreachable(url)
  const response = await fetch(url).catch(throwUnreachable)
  if (!response.ok) throw await errorFrom(response).catch(throwUnreachable)
  return await response.blob().catch(throwUnreachable)
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
  const response = await send(path, token, { headers: new Headers() })
  return await response.arrayBuffer().catch(unreachable(path))
}

type RequestOptions = RequestInit & { headers: Headers }

async function fetchJson<Result>(path: string, token: string | undefined, request: RequestOptions): Promise<Result> {
  request.headers.set("accept", "application/json")
  const response = await send(path, token, request)
  return (response.status === 204 ? undefined : await response.json().catch(unreachable(path))) as Result
}

async function send(path: string, token: string | undefined, request: RequestOptions): Promise<Response> {
  if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`)
  const throwUnreachable = unreachable(path)
  const response = await fetch(ROOT + path, request).catch(throwUnreachable)
  // A crashing server or a lost network truncates a response.
  if (!response.ok) throw await errorFrom(response).catch(throwUnreachable)
  return response
}

function unreachable(what: string): (error: unknown) => never {
  return (error) => {
    throw new Unreachable(what, { cause: error })
  }
}

async function errorFrom(response: Response): Promise<ApiError> {
  if (!response.headers.get("content-type")?.includes("json")) {
    // From a proxy in between: the server is down or restarting, or the proxy itself refuses the request.
    return new ApiError(response.status, response.status > 500 ? "unavailable" : "internal_error", undefined)
  }
  const problem = (await response.json()) as { code?: string; details?: { field?: string } }
  return new ApiError(response.status, problem.code ?? "internal_error", problem.details?.field)
}
