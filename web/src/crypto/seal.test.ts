import { expect, test } from "vitest"

import { attachment, message } from "../models/fixtures"
import { open, openFile, opens, seal, sealFile } from "./seal"

test("a sealed text can be opened", async () => {
  const sealed = await seal("Dinner at six?")
  expect(await open(message(1, sealed))).toEqual({ kind: "text", text: "Dinner at six?" })
})

test("a text that cannot be decrypted gives the reason", async () => {
  expect(await open(message(1, { body: null, deleted_at: "2026-11-23T12:00:00Z" }))).toEqual({ kind: "deleted" })
  expect(await open(message(1, { body: null, error_code: 603 }))).toEqual({ kind: "broken" })
  expect(await open(message(1, { encryption_flag: true }))).toEqual({ kind: "locked" })
})

test("a file is where the server says it is", async () => {
  const where = { file: "/files/a", thumbnail: null, expires_at: "2026-11-23T12:00:00Z", expires_in: 300 }
  expect(opens(attachment)).toBe(true)
  expect(await openFile(attachment, async () => where)).toEqual({ kind: "open", file: "/files/a", thumbnail: null })
  expect(await sealFile(new Blob(["sound"]))).toMatchObject({ encrypted: false })
})

test("an encrypted file is locked and its URL is not requested", async () => {
  const locked = { ...attachment, encrypted: true }
  const asked = () => Promise.reject(new Error("asked"))
  expect(opens(locked)).toBe(false)
  expect(await openFile(locked, asked)).toEqual({ kind: "locked" })
})
