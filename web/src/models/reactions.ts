/** The reactions to a message: each sign once, with the people who gave it, in the order in which they first came. */

/** What one person reacts with; without a sign, this device cannot read it. */
export interface Signed {
  readonly user_id: string
  readonly sign: string | undefined
}

export interface Group {
  readonly sign: string | undefined
  readonly people: readonly string[]
}

/** What is offered at once. */
export const OFFERED = ["❤️", "👍", "😂", "😮", "😢", "🙏"] as const

export function groups(signs: readonly Signed[]): readonly Group[] {
  const found = new Map<string | undefined, string[]>()
  for (const { sign, user_id } of signs) found.set(sign, [...(found.get(sign) ?? []), user_id])
  return [...found].map(([sign, people]) => ({ sign, people }))
}

/** The sign that somebody reacts with, if any. */
export function signOf(signs: readonly Signed[], userId: string): string | undefined {
  return signs.find((each) => each.user_id === userId)?.sign
}
