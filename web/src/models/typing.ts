/** Who is typing. Said now and then by each of them, and forgotten when it is not said again. */

export const FORGET_AFTER_MS = 10_000
export const SAY_EVERY_MS = 3_000

/** When each of them last said so. */
export type Typists = ReadonlyMap<string, number>

export function hear(typists: Typists, userId: string, typing: boolean, now: number): Typists {
  const after = new Map(typists)
  if (typing) after.set(userId, now)
  else after.delete(userId)
  return after
}

export function current(typists: Typists, now: number): readonly string[] {
  return [...typists].filter(([, since]) => now - since < FORGET_AFTER_MS).map(([userId]) => userId)
}
