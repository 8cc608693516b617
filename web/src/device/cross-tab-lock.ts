/**
 * A lock shared by all tabs, and a record of used refresh tokens.
 *
 * Web Locks provide the lock, but browsers disable them on plain HTTP, which many families use at home. There a lease in
 * IndexedDB replaces them, because its transactions are serialised across tabs. `localStorage` is not sufficient: each
 * tab has its own copy, and writes of other tabs arrive late. For the same reason the holder of the lock may not see yet
 * what the previous holder stored there. Used tokens are therefore recorded here as well: sending one twice signs the
 * device out.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb"

import { randomId } from "../api/random-id"

interface Stores extends DBSchema {
  leases: { key: string; value: { readonly holder: string; readonly until: number } }
  spent: { key: string; value: string }
}

const LEASE_MS = 10_000
const POLL_MS = 50

export async function withLock<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
  const locks = (navigator as { locks?: LockManager }).locks
  if (locks) return (await locks.request(name, task)) as Result
  const holder = randomId()
  while (!(await claim(name, holder))) await sleep(POLL_MS)
  const renewal = setInterval(() => void claim(name, holder), LEASE_MS / 3)
  try {
    return await task()
  } finally {
    clearInterval(renewal)
    await release(name, holder)
  }
}

/** Records, while holding the lock, that a token has been exchanged for the next one. */
export async function markSpent(name: string, token: string): Promise<void> {
  await inDatabase((database) => database.put("spent", token, name), undefined)
}

/** Whether any tab has used this token, even if this tab cannot see its successor yet. */
export async function isSpent(name: string, token: string): Promise<boolean> {
  return (await inDatabase((database) => database.get("spent", name), undefined)) === token
}

/** Whether this tab is the first to claim an id. Ids under one name must increase. */
export async function claimOnce(name: string, id: string): Promise<boolean> {
  return await inDatabase(async (database) => {
    const { store, done } = database.transaction("spent", "readwrite")
    const last = await store.get(name)
    const first = last === undefined || last < id
    if (first) await store.put(id, name)
    await done
    return first
  }, true)
}

export async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

async function claim(name: string, holder: string): Promise<boolean> {
  return await inDatabase(async (database) => {
    const { store, done } = database.transaction("leases", "readwrite")
    const held = await store.get(name)
    const left = held === undefined ? 0 : held.until - Date.now()
    // A lease that lasts longer than any is from a time when the clock of this device was ahead.
    const free = held === undefined || held.holder === holder || left < 0 || left > LEASE_MS
    if (free) await store.put({ holder, until: Date.now() + LEASE_MS }, name)
    await done
    return free
  }, true)
}

async function release(name: string, holder: string): Promise<void> {
  await inDatabase(async (database) => {
    const { store, done } = database.transaction("leases", "readwrite")
    if ((await store.get(name))?.holder === holder) await store.delete(name)
    await done
  }, undefined)
}

/** If the browser refuses storage, as some private windows do, runs without waiting. */
async function inDatabase<Result>(
  task: (database: IDBPDatabase<Stores>) => Promise<Result>,
  otherwise: Awaited<Result>,
): Promise<Awaited<Result>> {
  let database: IDBPDatabase<Stores> | undefined
  try {
    database = await openDB<Stores>("famichat.turns", 1, {
      upgrade(made) {
        made.createObjectStore("leases")
        made.createObjectStore("spent")
      },
    })
    return await task(database)
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
    console.warn("this browser keeps nothing", error.name)
    return otherwise
  } finally {
    database?.close()
  }
}
