/** The HTTP API: one function that asks, and the two ways in which that can fail. */

const ROOT = "/api/v1"

/** The server answered, and refused. `code` is one of `docs/errors.md`. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly field: string | undefined,
  ) {
    super(`${status} ${code}`)
  }
}

/** There was no answer: no network, or no server. */
export class Unreachable extends Error {}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

/**
 * Ask the server.
 *
 * @throws {ApiError} it refuses
 * @throws {Unreachable} it does not answer
 */
export async function request<Result>(method: Method, path: string, body?: object, token?: string): Promise<Result> {
  const headers = new Headers()
  if (body !== undefined) headers.set("content-type", "application/json")
  return await fetchJson<Result>(path, token, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/**
 * Send a piece of a file, from `offset` on.
 *
 * @throws {ApiError} the server refuses
 * @throws {Unreachable} it does not answer
 */
export async function sendChunk<Result>(path: string, offset: number, chunk: Blob, token: string): Promise<Result> {
  const headers = new Headers({ "content-type": "application/offset+octet-stream", "upload-offset": `${offset}` })
  return await fetchJson<Result>(path, token, { method: "PATCH", headers, body: chunk })
}

/**
 * Load a file from the address that the server gave for it.
 *
 * @throws {ApiError} the server refuses: the address has expired, or this person cannot see it any more
 * @throws {Unreachable} it does not answer, or not to the end
 */
export async function download(url: string): Promise<Blob> {
  const throwUnreachable = unreachable(url)
  const response = await fetch(url).catch(throwUnreachable)
  if (!response.ok) throw await errorFrom(response).catch(throwUnreachable)
  return await response.blob().catch(throwUnreachable)
}

/**
 * Send a picture, whole.
 *
 * @throws {ApiError} the server refuses
 * @throws {Unreachable} it does not answer
 */
export async function putPicture<Result>(path: string, picture: Blob, token: string): Promise<Result> {
  const headers = new Headers({ "content-type": "application/octet-stream" })
  return await fetchJson<Result>(path, token, { method: "PUT", headers, body: picture })
}

/**
 * Fetch bytes from an address of the API that the server gave, as somebody.
 *
 * @throws {ApiError} the server refuses
 * @throws {Unreachable} it does not answer, or not to the end
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
  // A server that dies, or a network that does, cuts an answer in the middle.
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
    return new ApiError(response.status, "internal_error", undefined) // a proxy in between
  }
  const problem = (await response.json()) as { code?: string; details?: { field?: string } }
  return new ApiError(response.status, problem.code ?? "internal_error", problem.details?.field)
}
