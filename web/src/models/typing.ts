/** Who is typing. Said now and then by each of them, and forgotten when it is not said again. */

export const TYPING_EXPIRES_MS = 10_000
export const TYPING_INTERVAL_MS = 3_000

/** When each of them last said so. */
export type Typists = ReadonlyMap<string, number>

export function noteTyping(typists: Typists, userId: string, typing: boolean, now: number): Typists {
  const after = new Map(typists)
  if (typing) after.set(userId, now)
  else after.delete(userId)
  return after
}

export function currentTypists(typists: Typists, now: number): readonly string[] {
  return [...typists].filter(([, since]) => now - since < TYPING_EXPIRES_MS).map(([userId]) => userId)
}
