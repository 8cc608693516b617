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

const PAUSE_MS = 3 * 60_000

/**
 * Groups messages, which are in order. A pause of three minutes starts a new run.
 *
 * @param firstUnread the ID of an item that starts a new run, because the unread line is above it
 * @param before the previous grouping: a run that shares a message with a previous run keeps its key, and a run that is
 *   unchanged is the same object, so that nothing in it is updated.
 */
export function groupByDay<Item extends Groupable>(
  items: readonly Item[],
  before: readonly DayGroup<Item>[] = [],
  firstUnread?: string,
): readonly DayGroup<Item>[] {
  const known = new Map<string, MessageGroup<Item>>()
  for (const { groups } of before) for (const group of groups) for (const { id } of group.items) known.set(id, group)
  const free = new Set(known.values())
  let highest = 0
  for (const { key } of free) highest = Math.max(highest, key)
  return split(items, firstUnread).map(({ date, groups }) => ({
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

function split<Item extends Groupable>(items: readonly Item[], firstUnread: string | undefined) {
  const days: { date: string; groups: { user_id: string; items: Item[] }[] }[] = []
  let bounds = { from: 0, to: 0 }
  let lastAt = -Infinity
  for (const item of items) {
    const at = Date.parse(item.sent_at)
    if (at < bounds.from || at >= bounds.to) {
      bounds = dayBounds(at)
      days.push({ date: dateOf(item.sent_at), groups: [] })
    }
    const groups = days.at(-1)?.groups
    const group = groups?.at(-1)
    const continues = group?.user_id === item.user_id && at - lastAt < PAUSE_MS && item.id !== firstUnread
    if (group && continues) group.items.push(item)
    else groups?.push({ user_id: item.user_id, items: [item] })
    lastAt = at
  }
  return days
}

/** The midnights around a time, in this device's time zone: comparing with them is cheaper than formatting each date. */
function dayBounds(at: number): { readonly from: number; readonly to: number } {
  const date = new Date(at)
  const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()]
  return { from: new Date(year, month, day).getTime(), to: new Date(year, month, day + 1).getTime() }
}

export function dateOf(timestamp: string): string {
  const date = new Date(timestamp)
  const two = (part: number) => String(part).padStart(2, "0")
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}
