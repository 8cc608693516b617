import { expect, test } from "vitest"

import { message } from "../fixtures"
import { currentEntry, textEntry } from "./text-entry"

const encrypted = message(1, { encryption_flag: true })
const read = textEntry(encrypted, { kind: "text", text: "buns" })
const locked = { kind: "locked" } as const

test("a text that was decrypted once is found while it is not edited", () => {
  expect(currentEntry(read, textEntry(encrypted, locked)).text).toBe("buns")
  const edited = textEntry({ ...encrypted, change: 1, edited_at: "2026-11-30T18:00:00Z" }, locked)
  expect(currentEntry(read, edited).text).toBeNull()
  expect(currentEntry(edited, read)).toBe(edited)
})

test("a text that was not encrypted is found no more when it turns out to be forged", () => {
  const plain = message(2)
  expect(currentEntry(textEntry(plain, { kind: "text", text: "forged" }), textEntry(plain, locked)).text).toBe("")
})
