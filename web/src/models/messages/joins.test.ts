import { expect, test } from "vitest"

import { groupByDay } from "./grouping"
import { joinLines, joinsSince, NO_LINES, type Joined, type JoinLines } from "./joins"

const at = (hour: number) => new Date(Date.UTC(2026, 10, 23, hour)).toISOString()
const joined = (user_id: string, hour: number): Joined => ({ user_id, joined_at: at(hour) })
const MAJA = joined("maja", 1)
const EMIL = joined("emil", 3)
const INGA = joined("inga", 5)

/** Messages at these hours, each in a run of its own. */
const sent = (...hours: number[]) =>
  groupByDay(hours.map((hour) => ({ id: String(hour), user_id: "maja", sent_at: at(hour) })))

/** The lines, with the hour of the run that they are above. */
function placed(lines: JoinLines, days: ReturnType<typeof sent>): Record<string, string[]> {
  const runs = new Map(days.flatMap(({ groups }) => groups.map(({ key, items }) => [key, items[0]?.id] as const)))
  return Object.fromEntries(
    [...lines].map(([key, joins]) => [key === "end" ? key : runs.get(key), joins.map(({ user_id }) => user_id)]),
  )
}

const ALL = { fromFirst: true, toLast: true }

test("the founder sees who joined, and a newcomer sees the own line and those that follow", () => {
  const members = [INGA, MAJA, EMIL]
  expect(joinsSince(members, "maja")).toEqual([EMIL, INGA])
  expect(joinsSince(members, "emil")).toEqual([EMIL, INGA])
  expect(joinsSince(members, "inga")).toEqual([INGA])
  expect(joinsSince(members, "ada")).toEqual([])
})

test("a line is above the first run that began later, or at the end", () => {
  const days = sent(2, 4)
  expect(placed(joinLines([EMIL, INGA], days, ALL, NO_LINES), days)).toEqual({ "4": ["emil"], end: ["inga"] })
  expect(placed(joinLines([EMIL], [], ALL, NO_LINES), [])).toEqual({ end: ["emil"] })
})

test("a line that belongs among messages that are not drawn is left out", () => {
  const days = sent(4)
  expect(placed(joinLines([EMIL], days, { fromFirst: false, toLast: true }, NO_LINES), days)).toEqual({})
  expect(placed(joinLines([INGA], days, { fromFirst: true, toLast: false }, NO_LINES), days)).toEqual({})
})

test("lines that stay the same are the same object", () => {
  const before = joinLines([EMIL], sent(2, 4), ALL, NO_LINES)
  expect(joinLines([EMIL], sent(2, 4), ALL, before)).toBe(before)
  expect(joinLines([EMIL, INGA], sent(2, 4), ALL, before)).not.toBe(before)
})
