import { expect, test } from "vitest"

import { message } from "../models/examples"
import { open, seal } from "./seal"

test("what is sealed here opens here", async () => {
  const sealed = await seal("Dinner at six?")
  expect(await open(message(1, sealed))).toEqual({ kind: "text", text: "Dinner at six?" })
})

test("what cannot be read says why", async () => {
  expect(await open(message(1, { body: null, deleted_at: "2026-11-23T12:00:00Z" }))).toEqual({ kind: "deleted" })
  expect(await open(message(1, { body: null, error_code: 603 }))).toEqual({ kind: "broken" })
  expect(await open(message(1, { encryption_flag: true }))).toEqual({ kind: "locked" })
})
