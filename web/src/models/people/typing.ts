/** Who is typing. Typing events repeat while a user types, and expire otherwise. */

export const TYPING_EXPIRES_MS = 10_000
export const TYPING_INTERVAL_MS = 3_000

/** Time of the last typing event by user id. */
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
