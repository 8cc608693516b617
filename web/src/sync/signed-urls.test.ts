import { afterEach, expect, test, vi } from "vitest"

import { attachment } from "../models/fixtures"
import { SignedUrlCache } from "./signed-urls"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "../session/session"

/** A server that gives each file a new address each time it is asked, good for some minutes from now. */
function addresses(minutes: number) {
  let asked = 0
  const expires_at = "1999-12-31T23:59:59Z" // this device's clock is wrong
  const request = async () => ({
    file: `/files/${(asked += 1)}`,
    thumbnail: null,
    expires_at,
    expires_in: minutes * 60,
  })
  return new SignedUrlCache({ request } as unknown as Session)
}

function answering(answer: (address: string) => Response) {
  vi.stubGlobal("fetch", async (address: string) => answer(address))
}

afterEach(() => vi.unstubAllGlobals())

test("how long an address is good does not depend on this device's clock", async () => {
  vi.useFakeTimers({ toFake: ["Date"] })
  const urls = addresses(5)
  for (const [now, file] of [
    ["2031-01-01T00:00:00Z", "/files/1"],
    ["2031-01-01T00:04:00Z", "/files/1"],
    ["2031-01-01T00:05:00Z", "/files/2"],
    ["2026-11-30T00:00:00Z", "/files/3"], // the clock was set
    ["2026-11-30T00:01:00Z", "/files/3"],
  ]) {
    vi.setSystemTime(new Date(now ?? ""))
    expect(await urls.open(attachment)).toMatchObject({ file })
  }
  vi.useRealTimers()
})

test("a signed URL is requested once while valid, and again shortly before it expires", async () => {
  const [good, stale] = [addresses(5), addresses(0.2)]
  for (const each of [good, stale]) await each.open(attachment)
  expect(await good.open(attachment)).toMatchObject({ file: "/files/1" })
  expect(await stale.open(attachment)).toMatchObject({ file: "/files/2" })
})

test("a file is loaded, also when its address expired sooner than this device's clock says", async () => {
  answering((address) =>
    address === "/files/1" ? Response.json({ code: "not_found" }, { status: 404 }) : new Response(`of ${address}`),
  )
  expect(await (await addresses(5).bytes(attachment, "file")).text()).toBe("of /files/2")
})

test("a user who lost access to a file is told so", async () => {
  answering(() => Response.json({ code: "not_found" }, { status: 404 }))
  await expect(addresses(5).bytes(attachment, "file")).rejects.toEqual(new ApiError(404, "not_found"))
})

test("without a network there is no file, and an encrypted one is not requested", async () => {
  answering(() => {
    throw new TypeError("no network")
  })
  await expect(addresses(5).bytes(attachment, "file")).rejects.toBeInstanceOf(Unreachable)
  await expect(addresses(5).bytes({ ...attachment, encrypted: true }, "file")).rejects.toMatchObject({
    code: "file_locked",
  })
})
