/** How a timeline is laid out: days, and within them runs of messages that one person said in a row. */

export interface Said {
  readonly user_id: string
  readonly moment: string
}

export interface Run<Item extends Said> {
  readonly user_id: string
  readonly items: readonly Item[]
}

export interface Day<Item extends Said> {
  /** The date in this device's time zone, as `2026-11-23`. */
  readonly date: string
  readonly runs: readonly Run<Item>[]
}

const PAUSE_MS = 5 * 60_000

/** Group what was said, in order. A pause of five minutes begins a new run. */
export function lay<Item extends Said>(items: readonly Item[]): readonly Day<Item>[] {
  const days: { date: string; runs: { user_id: string; items: Item[] }[] }[] = []
  let before: Item | undefined
  for (const item of items) {
    const date = dateOf(item.moment)
    let day = days.at(-1)
    if (day?.date !== date) days.push((day = { date, runs: [] }))
    const run = day.runs.at(-1)
    if (run && before && goesOn(before, item)) run.items.push(item)
    else day.runs.push({ user_id: item.user_id, items: [item] })
    before = item
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
