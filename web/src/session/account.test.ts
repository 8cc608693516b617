import { afterEach, expect, test, vi } from "vitest"

import { keyDatabaseName } from "../crypto/key-database-name"
import { Account } from "./account"
import type { Session } from "./session"

afterEach(() => vi.unstubAllGlobals())

test("deleting the account deletes its local data, also the keys", async () => {
  const deleteDatabase = vi.fn()
  const removeItem = vi.fn()
  vi.stubGlobal("indexedDB", { deleteDatabase })
  vi.stubGlobal("localStorage", { removeItem })
  const session = { request: vi.fn(), discard: vi.fn(), user: { id: "inga" } }
  await new Account(session as unknown as Session).delete("password")
  expect(session.request).toHaveBeenCalledWith("DELETE", "/me", { password: "password" })
  const names = deleteDatabase.mock.calls.map(([name]) => name as string)
  expect(names).toContain(keyDatabaseName("inga"))
  expect(names.every((name) => name.includes("inga"))).toBe(true)
  expect(removeItem).toHaveBeenCalledWith("famichat.inga.encrypted")
})
