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
export async function ask<Answer>(method: Method, path: string, body?: object, token?: string): Promise<Answer> {
  const headers = new Headers()
  if (body !== undefined) headers.set("content-type", "application/json")
  return await answer<Answer>(path, token, {
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
export async function sendPiece<Answer>(path: string, offset: number, piece: Blob, token: string): Promise<Answer> {
  const headers = new Headers({ "content-type": "application/offset+octet-stream", "upload-offset": `${offset}` })
  return await answer<Answer>(path, token, { method: "PATCH", headers, body: piece })
}

/**
 * Load a file from the address that the server gave for it.
 *
 * @throws {ApiError} the server refuses: the address has expired, or this person cannot see it any more
 * @throws {Unreachable} it does not answer, or not to the end
 */
export async function load(address: string): Promise<Blob> {
  const lost = unreachable(address)
  const response = await fetch(address).catch(lost)
  if (!response.ok) throw await refusal(response).catch(lost)
  return await response.blob().catch(lost)
}

async function answer<Answer>(
  path: string,
  token: string | undefined,
  request: RequestInit & { headers: Headers },
): Promise<Answer> {
  request.headers.set("accept", "application/json")
  if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`)
  const lost = unreachable(path)
  const response = await fetch(ROOT + path, request).catch(lost)
  // A server that dies, or a network that does, cuts an answer in the middle.
  if (!response.ok) throw await refusal(response).catch(lost)
  return (response.status === 204 ? undefined : await response.json().catch(lost)) as Answer
}

function unreachable(what: string): (error: unknown) => never {
  return (error) => {
    throw new Unreachable(what, { cause: error })
  }
}

async function refusal(response: Response): Promise<ApiError> {
  if (!response.headers.get("content-type")?.includes("json")) {
    return new ApiError(response.status, "internal_error", undefined) // a proxy in between
  }
  const problem = (await response.json()) as { code?: string; details?: { field?: string } }
  return new ApiError(response.status, problem.code ?? "internal_error", problem.details?.field)
}
