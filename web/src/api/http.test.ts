import { afterEach, expect, test, vi } from "vitest"

import { request, Unreachable } from "./http"

afterEach(() => vi.unstubAllGlobals())

const answered = (answer: () => Promise<Response>) => vi.stubGlobal("fetch", answer)

test("a server that does not answer is out of reach", async () => {
  answered(() => Promise.reject(new TypeError("Failed to fetch")))
  await expect(request("GET", "/me")).rejects.toBeInstanceOf(Unreachable)
})

test("so is one whose answer is cut in the middle, a refusal too", async () => {
  for (const status of [200, 503]) {
    answered(async () => {
      const cut = new ReadableStream({ start: (body) => body.error(new TypeError("network error")) })
      return new Response(cut, { status, headers: { "content-type": "application/json" } })
    })
    await expect(request("GET", "/me")).rejects.toBeInstanceOf(Unreachable)
  }
})

test("and a page of the hotel's network is no answer of it", async () => {
  answered(async () => new Response("<html>Room number?</html>", { headers: { "content-type": "text/html" } }))
  await expect(request("GET", "/me")).rejects.toBeInstanceOf(Unreachable)
})

test("a refusal says why", async () => {
  answered(async () => Response.json({ code: "invalid_body", details: { field: "name" } }, { status: 422 }))
  await expect(request("POST", "/x")).rejects.toMatchObject({ status: 422, code: "invalid_body", field: "name" })
})

test("a proxy whose server is away says so, and its own refusal is an error of the server", async () => {
  for (const [status, code] of [
    [502, "unavailable"],
    [413, "internal_error"],
  ]) {
    answered(async () => new Response("<html>", { status: Number(status), headers: { "content-type": "text/html" } }))
    await expect(request("GET", "/me")).rejects.toMatchObject({ code })
  }
})

test("text that strict JSON cannot represent is repaired before it is sent", async () => {
  const bodies: unknown[] = []
  vi.stubGlobal("fetch", async (_: string, { body }: RequestInit) => Response.json(bodies.push(body)))
  await request("PATCH", "/me", { display_name: "Maja\uD83D\0" })
  expect(bodies).toEqual(['{"display_name":"Maja\uFFFD"}'])
})
