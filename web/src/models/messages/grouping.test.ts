import { expect, test } from "vitest"

import { groupByDay } from "./grouping"

const at = (user_id: string, sent_at: string) => ({ id: `${user_id} ${sent_at}`, user_id, sent_at })

test("each day has its heading, and what one person says in a row stays together", () => {
  const days = groupByDay([
    at("inga", "2026-11-22T12:00:00"),
    at("inga", "2026-11-22T12:01:00"),
    at("nils", "2026-11-22T12:01:30"),
    at("inga", "2026-11-22T12:02:00"),
    at("inga", "2026-11-22T12:05:00"),
    at("inga", "2026-11-23T00:00:01"),
  ])
  expect(days.map((day) => day.date)).toEqual(["2026-11-22", "2026-11-23"])
  expect(days[0]?.groups.map((run) => [run.user_id, run.items.length])).toEqual([
    ["inga", 2],
    ["nils", 1],
    ["inga", 1],
    ["inga", 1], // after a pause
  ])
})

test("midnight ends a run", () => {
  expect(groupByDay([at("inga", "2026-11-22T23:59:59"), at("inga", "2026-11-23T00:00:00")])).toHaveLength(2)
})

test("a run keeps its name while it grows and shrinks at its ends, and no two runs have the same", () => {
  const line = (second: number, user_id = "inga") => at(user_id, `2026-11-22T12:00:${String(second).padStart(2, "0")}`)
  const names = (days: ReturnType<typeof groupByDay>) =>
    days.flatMap(({ groups: runs }) => runs.map(({ key: name }) => name))
  const here = groupByDay([line(10), line(11), line(12, "nils")])
  const back = groupByDay([line(8), line(9), line(10)], here)
  const on = groupByDay([line(8), line(9), line(10), line(11), line(12, "nils"), line(13)], back)

  expect(names(here)).toEqual([1, 2])
  expect(names(back)).toEqual([1])
  expect(names(on)).toEqual([1, 2, 3])
})

test("when something comes between, the first part keeps the name", () => {
  const [first, second] = [at("inga", "2026-11-22T12:00:00"), at("inga", "2026-11-22T12:00:09")]
  const between = groupByDay([first, at("nils", "2026-11-22T12:00:05"), second], groupByDay([first, second]))
  expect(between[0]?.groups.map(({ key: name }) => name)).toEqual([1, 2, 3])
})

test("a run that is unchanged is the same object", () => {
  const [inga, nils] = [at("inga", "2026-11-22T12:00:00"), at("nils", "2026-11-22T12:00:05")]
  const before = groupByDay([inga, nils])
  const after = groupByDay([inga, nils, at("nils", "2026-11-22T12:00:09")], before)
  expect(after[0]?.groups[0]).toBe(before[0]?.groups[0])
  expect(after[0]?.groups[1]).not.toBe(before[0]?.groups[1])
})

test("the unread line ends a run", () => {
  const items = [at("inga", "2026-11-22T12:00:00"), at("inga", "2026-11-22T12:00:09")]
  const [day] = groupByDay(items, [], items[1]?.id)
  expect(day?.groups.map((run) => run.items.length)).toEqual([1, 1])
})
