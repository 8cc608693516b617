/** An HTTP server in memory, behind `fetch`: routes by method and path, and a log of the requests. */
import { vi } from "vitest"

const ROOT = "/api/v1"

export interface HttpRequest {
  readonly method: string
  /** Relative to `/api/v1`, without the query. */
  readonly path: string
  readonly query: string
  readonly token: string | undefined
  readonly headers: Headers
  /** Parsed JSON, a Blob, or undefined. */
  readonly body: unknown
}

/** Returns the JSON body of a 200 response, or a whole response. */
export type HttpHandler = (request: HttpRequest) => object | Response | Promise<object | Response>

interface Route {
  readonly pattern: RegExp
  readonly handle: HttpHandler
}

/** Builds an RFC 9457 problem response, as the server sends it. */
export function problem(status: number, code: string, details?: object): Response {
  return Response.json({ code, details }, { status })
}

export class HttpServer {
  readonly requests: HttpRequest[] = []
  /** Whether requests reach the server; false fails them as a lost network does. */
  reachable = true
  readonly #routes: Route[] = []

  /** Replaces `fetch` until `vi.unstubAllGlobals`. */
  install(): void {
    vi.stubGlobal("fetch", async (url: string, init: RequestInit = {}) => await this.#respond(url, init))
  }

  /**
   * Adds a route; the newest that matches wins.
   *
   * @param route method and path, such as `GET /families/:id/members`
   */
  on(route: string, handle: HttpHandler): void {
    this.#routes.unshift({ pattern: new RegExp(`^${route.replaceAll(/:\w+/g, "[^/]+")}$`), handle })
  }

  /** The requests of one route, oldest first. */
  requestsTo(route: string): readonly HttpRequest[] {
    return this.requests.filter(({ method, path }) => `${method} ${path}` === route)
  }

  async #respond(url: string, init: RequestInit): Promise<Response> {
    return await Promise.race([this.#handle(url, init), aborted(init.signal)])
  }

  async #handle(url: string, init: RequestInit): Promise<Response> {
    const request = parse(url, init)
    this.requests.push(request)
    if (!this.reachable) throw new TypeError("Failed to fetch")
    const route = this.#routes.find(({ pattern }) => pattern.test(`${request.method} ${request.path}`))
    if (route === undefined) return problem(404, "not_found")
    const result = await route.handle(request)
    return result instanceof Response ? result : Response.json(result)
  }
}

/** Rejects when the request is aborted. */
async function aborted(signal: AbortSignal | null | undefined): Promise<never> {
  return await new Promise((_, fail) => signal?.addEventListener("abort", () => fail(signal.reason as Error)))
}

function parse(url: string, init: RequestInit): HttpRequest {
  const [address = "", query = ""] = url.replace(location.origin, "").split("?")
  const headers = new Headers(init.headers)
  return {
    method: init.method ?? "GET",
    path: address.startsWith(ROOT) ? address.slice(ROOT.length) : address,
    query,
    token: headers.get("authorization")?.replace("Bearer ", ""),
    headers,
    body: typeof init.body === "string" ? JSON.parse(init.body) : init.body,
  }
}
