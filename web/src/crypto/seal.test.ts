import { expect, test } from "vitest"

import { attachment, message } from "../models/fixtures"
import { openFile, openPlain, opens, seal, sealFile } from "./seal"

test("a text that is not encrypted is read as it was written", async () => {
  const sealed = await seal("Dinner at six?")
  expect(openPlain(message(1, sealed))).toEqual({ kind: "text", text: "Dinner at six?" })
})

test("a text that the server cannot read has no words", () => {
  expect(openPlain(message(1, { body: null, error_code: 603 }))).toEqual({ kind: "broken" })
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
