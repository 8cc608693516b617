/** How a timeline is laid out: days, and within them runs of messages that one person said in a row. */

export interface Said {
  readonly id: string
  readonly user_id: string
  readonly moment: string
}

export interface Run<Item extends Said> {
  /** A name that stays while the run grows or shrinks at either end, so that what is drawn of it stays, too. */
  readonly name: number
  readonly user_id: string
  readonly items: readonly Item[]
}

export interface Day<Item extends Said> {
  /** The date in this device's time zone, as `2026-11-23`. */
  readonly date: string
  readonly runs: readonly Run<Item>[]
}

const PAUSE_MS = 5 * 60_000

/**
 * Group what was said, in order. A pause of five minutes begins a new run.
 *
 * @param before how it was laid out until now: a run with something of a former one in it keeps that one's name.
 */
export function lay<Item extends Said>(
  items: readonly Item[],
  before: readonly Day<Item>[] = [],
): readonly Day<Item>[] {
  const names = namesIn(before)
  const free = new Set(names.values())
  let newest = Math.max(0, ...free)
  return grouped(items).map(({ date, runs }) => ({
    date,
    runs: runs.map((run) => {
      const name = run.items.map(({ id }) => names.get(id)).find((each) => each !== undefined && free.delete(each))
      return { name: name ?? (newest += 1), ...run }
    }),
  }))
}

function namesIn<Item extends Said>(days: readonly Day<Item>[]): ReadonlyMap<string, number> {
  return new Map(days.flatMap(({ runs }) => runs.flatMap((run) => run.items.map(({ id }) => [id, run.name]))))
}

function grouped<Item extends Said>(items: readonly Item[]) {
  const days: { date: string; runs: { user_id: string; items: Item[] }[] }[] = []
  let last: Item | undefined
  for (const item of items) {
    const date = dateOf(item.moment)
    let day = days.at(-1)
    if (day?.date !== date) days.push((day = { date, runs: [] }))
    const run = day.runs.at(-1)
    if (run && last && goesOn(last, item)) run.items.push(item)
    else day.runs.push({ user_id: item.user_id, items: [item] })
    last = item
  }
  return days
}

export function dateOf(moment: string): string {
  const date = new Date(moment)
  const two = (part: number) => String(part).padStart(2, "0")
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function goesOn(before: Said, after: Said): boolean {
  return before.user_id === after.user_id && Date.parse(after.moment) - Date.parse(before.moment) < PAUSE_MS
}
