import { openDB } from "idb"
import { IDBFactory } from "fake-indexeddb"
import { beforeEach, expect, test, vi } from "vitest"

import "fake-indexeddb/auto"
import { databaseName, LocalDatabase } from "./database"

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory())
})

const families = (database: LocalDatabase) => database.read((stored) => stored.get("facts", "around"), "nothing")
const newer = () => openDB(databaseName("maja"), 99)

test("a tab of an older version closes its database for a newer one, and says that it is outdated", async () => {
  const changed = vi.fn()
  const old = new LocalDatabase("maja", changed)
  await families(old)
  const upgraded = await newer()
  expect(old.state).toBe("outdated")
  expect(changed).toHaveBeenCalled()
  upgraded.close()
})

test("a tab of an older version that starts after the upgrade is outdated, and leaves the database alone", async () => {
  ;(await newer()).close()
  const old = new LocalDatabase("maja", () => undefined)
  expect(await families(old)).toBe("nothing")
  expect(old.state).toBe("outdated")
  const upgraded = await newer()
  expect(upgraded.version).toBe(99)
  upgraded.close()
})

test("an upgrade that an older tab blocks says so, and continues when that tab is closed", async () => {
  const before = new LocalDatabase("maja", () => undefined)
  await families(before)
  await before.close()
  const blocking = await openDB(databaseName("maja"), 1) // as a version from before this rule did, without closing it
  const states: string[] = []
  const database: LocalDatabase = new LocalDatabase("maja", () => states.push(database.state), 2)
  const reading = families(database)
  await vi.waitFor(() => expect(database.state).toBe("blocked"))
  blocking.close()
  await reading
  expect(states).toEqual(["blocked", "usable"])
})
