/**
 * One tab at a time, and each token once.
 *
 * Web Locks do the first, but browsers withhold them on plain HTTP, which is how many families reach their server at
 * home. There a lease in IndexedDB stands in, whose transactions come one after the other for all tabs. `localStorage`
 * would not do: each tab is a process with its own view of it, which what others wrote reaches when it does. For the same
 * reason whoever has the turn may not see yet what was stored in the turn before. What was spent is therefore noted
 * here, too.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb"

import { randomId } from "./random-id"

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

/** Note, within a turn, that a token was given away for the next one. */
export async function markSpent(name: string, token: string): Promise<void> {
  await inDatabase((database) => database.put("spent", token, name), undefined)
}

/** Whether some tab has given this token away, although this one may not see the next one yet. */
export async function isSpent(name: string, token: string): Promise<boolean> {
  return (await inDatabase((database) => database.get("spent", name), undefined)) === token
}

/** Whether this tab is the first to come with something, of what comes under names that grow, as ids do. */
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
    const free = held === undefined || held.holder === holder || held.until < Date.now()
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

/** Where a browser keeps nothing, as in some private windows, nobody is waited for. */
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
