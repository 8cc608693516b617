/** The lines that say who joined the family, between its messages. */
import type { DayGroup, Groupable } from "./grouping"

export interface Joined {
  readonly user_id: string
  /** RFC 3339. */
  readonly joined_at: string
}

/** The lines above each run of messages, by its key, and those at the end. */
export type JoinLines = ReadonlyMap<number | "end", readonly Joined[]>

export const NO_LINES: JoinLines = new Map()

/** Returns those who joined after the founder, and not before the user. */
export function joinsSince(members: readonly Joined[], me: string): readonly Joined[] {
  const [, ...joined] = [...members].sort((one, other) => timeOf(one) - timeOf(other))
  const own = members.find(({ user_id }) => user_id === me)
  return own ? joined.filter((each) => timeOf(each) >= timeOf(own)) : []
}

/**
 * Returns where the lines are: above the first run that began later. Lines before messages that are not drawn are left out.
 *
 * @param drawn whether the messages are drawn from the first one on, and up to the last one
 * @param before the previous lines, which are returned if nothing has changed, so that no run is updated
 */
export function joinLines<Item extends Groupable>(
  joins: readonly Joined[],
  days: readonly DayGroup<Item>[],
  drawn: { readonly fromFirst: boolean; readonly toLast: boolean },
  before: JoinLines,
): JoinLines {
  if (joins.length === 0) return NO_LINES
  const lines = new Map<number | "end", Joined[]>()
  const starts = days.flatMap(({ groups }) =>
    groups.map(({ key, items }) => ({ key, at: Date.parse(items[0]?.sent_at ?? "") })),
  )
  const from = drawn.fromFirst ? -Infinity : (starts[0]?.at ?? Infinity)
  for (const each of joins) {
    const at = timeOf(each)
    if (at < from) continue
    const key = starts.find((start) => start.at > at)?.key ?? "end"
    if (key !== "end" || drawn.toLast) lines.set(key, [...(lines.get(key) ?? []), each])
  }
  return isSame(lines, before) ? before : lines
}

function isSame(lines: JoinLines, others: JoinLines): boolean {
  if (lines.size !== others.size) return false
  return [...lines].every(([key, joins]) => {
    const known = others.get(key)
    return known?.length === joins.length && joins.every((each, index) => each === known[index])
  })
}

function timeOf({ joined_at }: Joined): number {
  return Date.parse(joined_at)
}
