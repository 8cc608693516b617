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
