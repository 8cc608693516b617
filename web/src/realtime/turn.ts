/**
 * One tab at a time.
 *
 * Web Locks do exactly this, but browsers withhold them on plain HTTP, which is how many families reach their server
 * at home. There a lease in `localStorage` stands in: whoever still finds its own name in it after a moment has the turn.
 */

const LEASE_MS = 10_000
const SETTLE_MS = 40

export async function inTurn<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const locks = (navigator as { locks?: LockManager }).locks
  if (locks) return (await locks.request(name, work)) as Result
  const release = await lease(`${name}.lease`)
  try {
    return await work()
  } finally {
    release()
  }
}

async function lease(key: string): Promise<() => void> {
  const mine = randomId()
  for (;;) {
    const [, until] = (localStorage.getItem(key) ?? "").split(" ")
    if (Number(until ?? 0) < Date.now()) localStorage.setItem(key, `${mine} ${Date.now() + LEASE_MS}`)
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    if (localStorage.getItem(key)?.startsWith(mine)) return () => localStorage.removeItem(key)
  }
}

/** A random name; `crypto.randomUUID` is another thing that plain HTTP does not get. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")
}
