import "fake-indexeddb/auto"

import { beforeEach, expect, test, vi } from "vitest"

import { LocalDatabase } from "../device/database"
import { ApiError, Unreachable } from "../api/http"
import { AvatarCache } from "./avatars"

const FIRST = "/api/v1/people/inga/pictures/1"
const SECOND = "/api/v1/people/inga/pictures/2"
let made = 0

beforeEach(() => {
  URL.createObjectURL = () => `blob:${(made += 1)}`
  URL.revokeObjectURL = () => undefined
})

const server = (load: (address: string) => Promise<ArrayBuffer>) => ({ download: vi.fn(load) })
const answering = () => server(() => Promise.resolve(new Uint8Array([1, 2, 3]).buffer))
const kept = (name: string) => new LocalDatabase(name, () => undefined)

/** Request a picture, and wait until it is here. */
async function arrival(session: ReturnType<typeof server>, name: string, picture: string): Promise<AvatarCache> {
  const faces = new AvatarCache(session, kept(name))
  expect(faces.of(picture)).toBeUndefined()
  await vi.waitFor(() => expect(faces.of(picture)).toBeDefined())
  return faces
}

test("a picture is fetched once, and there at the next start without a server", async () => {
  const session = answering()
  const faces = await arrival(session, "once", FIRST)
  expect(faces.of(FIRST)).toMatch(/^blob:/)
  expect(session.download).toHaveBeenCalledTimes(1)
  const away = server(() => Promise.reject(new Unreachable("")))
  expect((await arrival(away, "once", FIRST)).of(FIRST)).toMatch(/^blob:/)
  expect(away.download).not.toHaveBeenCalled()
})

test("an earlier avatar is deleted, also on the device", async () => {
  const faces = await arrival(answering(), "former", FIRST)
  await faces.keepOnly(new Set([SECOND]))
  const session = answering()
  await arrival(session, "former", FIRST)
  expect(session.download).toHaveBeenCalledTimes(1)
})

test("an avatar is requested again after a network failure, not after a refusal", async () => {
  const session = server(() => Promise.reject(new Unreachable("")))
  const faces = new AvatarCache(session, kept("away"))
  faces.of(FIRST)
  await vi.waitFor(() => expect(session.download).toHaveBeenCalledTimes(1))
  faces.of(FIRST)
  expect(session.download).toHaveBeenCalledTimes(1)
  session.download.mockImplementation(() => Promise.reject(new ApiError(404, "not_found")))
  await vi.waitFor(() => {
    faces.retryMissed()
    faces.of(FIRST)
    expect(session.download).toHaveBeenCalledTimes(2)
  })
  faces.retryMissed()
  faces.of(FIRST)
  expect(session.download).toHaveBeenCalledTimes(2)
})

test("no avatar causes no request", () => {
  const session = answering()
  expect(new AvatarCache(session, kept("nobody")).of(null)).toBeUndefined()
  expect(session.download).not.toHaveBeenCalled()
})
