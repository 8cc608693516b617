import { afterEach, expect, test, vi } from "vitest"

import { ApiError, download, NotFamichat, request, sendChunk, Unreachable } from "./http"

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
  for (const status of [200, 401, 404, 511]) {
    const headers = { "content-type": "text/html" }
    answered(async () => new Response("<html>Room number?</html>", { status, headers }))
    await expect(request("GET", "/me")).rejects.toBeInstanceOf(NotFamichat)
  }
})

test("the error page of a proxy in front of the server is an error of the server", async () => {
  for (const status of [413, 429, 502]) {
    answered(async () => new Response("<html>", { status, headers: { "content-type": "text/html" } }))
    await expect(request("GET", "/me")).rejects.toBeInstanceOf(ApiError)
  }
})

test("a request without a response ends after 15 seconds, and so does a response that stops in the middle", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  const aborted = (signal: AbortSignal) =>
    new Promise<never>((_, fail) => signal.addEventListener("abort", () => fail(new DOMException("", "AbortError"))))
  for (const silent of [
    (_: string, { signal }: { signal: AbortSignal }) => aborted(signal),
    async (_: string, { signal }: { signal: AbortSignal }) =>
      new Response(new ReadableStream({ start: (body) => void aborted(signal).catch((why) => body.error(why)) }), {
        headers: { "content-type": "application/json" },
      }),
  ]) {
    vi.stubGlobal("fetch", silent)
    const outcome = expect(request("GET", "/me")).rejects.toBeInstanceOf(Unreachable)
    await vi.advanceTimersByTimeAsync(15_000)
    await outcome
  }
  vi.useRealTimers()
})

test("an upload can be aborted, and is then unreachable", async () => {
  const upload = new AbortController()
  vi.stubGlobal(
    "fetch",
    (_: string, { signal }: { signal: AbortSignal }) =>
      new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason as Error))),
  )
  const outcome = expect(sendChunk("/attachments/a", 0, new Blob(["x"]), "token", upload.signal))
  upload.abort()
  await outcome.rejects.toBeInstanceOf(Unreachable)
})

test("a download returns the bytes, or says why there are none", async () => {
  answered(async () => new Response("bytes"))
  expect(await (await download("/files/a")).text()).toBe("bytes")
  answered(async () => Response.json({ code: "not_found" }, { status: 404 }))
  await expect(download("/files/a")).rejects.toMatchObject({ status: 404, code: "not_found" })
})

test("a refusal says why", async () => {
  const refusal = { code: "username_taken", suggestions: ["maja27"] }
  answered(async () => Response.json(refusal, { status: 409 }))
  await expect(request("POST", "/x")).rejects.toMatchObject({ status: 409, ...refusal })
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

function keysOf(outcomes: (() => Response | Error)[]): (string | null)[] {
  const keys: (string | null)[] = []
  vi.stubGlobal("fetch", async (_: string, { headers }: { headers: Headers }) => {
    keys.push(headers.get("idempotency-key"))
    const outcome = outcomes[keys.length - 1]!()
    if (outcome instanceof Error) throw outcome
    return outcome
  })
  return keys
}
const lost = () => new TypeError("network error")
const created = () => Response.json({}, { status: 201 })

test("a POST whose response was lost is repeated with its key", async () => {
  const keys = keysOf([lost, created, created])
  await request("POST", "/invites", {})
  await request("POST", "/invites", {})
  expect(keys[0]).toMatch(/^[\w-]{20,}$/)
  expect(keys[1]).toBe(keys[0])
  expect(keys[2]).not.toBe(keys[0])
})

test("the user's next attempt has the same key if the outcome is unknown and the request is the same", async () => {
  const unavailable = () => Response.json({ code: "unavailable" }, { status: 503 })
  const keys = keysOf([lost, lost, unavailable, created, lost, lost, created])
  await expect(request("POST", "/groups", { name: "Trip" })).rejects.toBeInstanceOf(Unreachable)
  await expect(request("POST", "/groups", { name: "Trip" })).rejects.toMatchObject({ code: "unavailable" })
  await request("POST", "/groups", { name: "Trip" })
  expect(new Set(keys).size).toBe(1)
  await expect(request("POST", "/groups", { name: "Trip" })).rejects.toBeInstanceOf(Unreachable)
  await request("POST", "/groups", { name: "Holiday" })
  expect(new Set(keys).size).toBe(3)
})

test("other requests have no key and are not repeated", async () => {
  const keys = keysOf([lost])
  await expect(request("PATCH", "/me", {})).rejects.toBeInstanceOf(Unreachable)
  expect(keys).toEqual([null])
})

test("text that strict JSON cannot represent is repaired before it is sent", async () => {
  const bodies: unknown[] = []
  vi.stubGlobal("fetch", async (_: string, { body }: RequestInit) => Response.json(bodies.push(body)))
  await request("PATCH", "/me", { display_name: "Maja\uD83D\0" })
  expect(bodies).toEqual(['{"display_name":"Maja\uFFFD"}'])
})
