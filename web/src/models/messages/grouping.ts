/** Groups a timeline by day, and within a day into runs of consecutive messages of one sender. */

export interface Groupable {
  readonly id: string
  readonly user_id: string
  readonly sent_at: string
}

export interface MessageGroup<Item extends Groupable> {
  /** A key that stays the same while the run grows or shrinks at either end, so that its component is kept. */
  readonly key: number
  readonly user_id: string
  readonly items: readonly Item[]
}

export interface DayGroup<Item extends Groupable> {
  /** The date in this device's time zone, as `2026-11-23`. */
  readonly date: string
  readonly groups: readonly MessageGroup<Item>[]
}

const PAUSE_MS = 5 * 60_000

/**
 * Groups messages, which are in order. A pause of five minutes starts a new run.
 *
 * @param before the previous grouping: a run that shares a message with a previous run keeps its key, and a run that is
 *   unchanged is the same object, so that nothing in it is updated.
 */
export function groupByDay<Item extends Groupable>(
  items: readonly Item[],
  before: readonly DayGroup<Item>[] = [],
): readonly DayGroup<Item>[] {
  const known = new Map<string, MessageGroup<Item>>()
  for (const { groups } of before) for (const group of groups) for (const { id } of group.items) known.set(id, group)
  const free = new Set(known.values())
  let highest = 0
  for (const { key } of free) highest = Math.max(highest, key)
  return split(items).map(({ date, groups }) => ({
    date,
    groups: groups.map((group) => {
      const same = firstFree(group.items, known, free)
      if (same && isSame(group.items, same.items)) return same
      return { key: same?.key ?? (highest += 1), ...group }
    }),
  }))
}

/** Find the previous run that shares a message with these, and take it. */
function firstFree<Item extends Groupable>(
  items: readonly Item[],
  known: ReadonlyMap<string, MessageGroup<Item>>,
  free: Set<MessageGroup<Item>>,
): MessageGroup<Item> | undefined {
  for (const { id } of items) {
    const group = known.get(id)
    if (group && free.delete(group)) return group
  }
  return undefined
}

function isSame<Item>(items: readonly Item[], others: readonly Item[]): boolean {
  if (items.length !== others.length) return false
  for (const [index, item] of items.entries()) if (item !== others[index]) return false
  return true
}

function split<Item extends Groupable>(items: readonly Item[]) {
  const days: { date: string; groups: { user_id: string; items: Item[] }[] }[] = []
  let last: Item | undefined
  for (const item of items) {
    const date = dateOf(item.sent_at)
    let day = days.at(-1)
    if (day?.date !== date) days.push((day = { date, groups: [] }))
    const group = day.groups.at(-1)
    if (group && last && continues(last, item)) group.items.push(item)
    else day.groups.push({ user_id: item.user_id, items: [item] })
    last = item
  }
  return days
}

export function dateOf(timestamp: string): string {
  const date = new Date(timestamp)
  const two = (part: number) => String(part).padStart(2, "0")
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function continues(before: Groupable, after: Groupable): boolean {
  return before.user_id === after.user_id && Date.parse(after.sent_at) - Date.parse(before.sent_at) < PAUSE_MS
}
