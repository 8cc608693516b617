import { expect, test } from "vitest"

import { lay } from "./days"

const at = (user_id: string, moment: string) => ({ user_id, moment })

test("each day has its heading, and what one person says in a row stays together", () => {
  const days = lay([
    at("inga", "2026-11-22T12:00:00"),
    at("inga", "2026-11-22T12:01:00"),
    at("nils", "2026-11-22T12:01:30"),
    at("inga", "2026-11-22T12:02:00"),
    at("inga", "2026-11-22T12:10:00"),
    at("inga", "2026-11-23T00:00:01"),
  ])
  expect(days.map((day) => day.date)).toEqual(["2026-11-22", "2026-11-23"])
  expect(days[0]?.runs.map((run) => [run.user_id, run.items.length])).toEqual([
    ["inga", 2],
    ["nils", 1],
    ["inga", 1],
    ["inga", 1], // after a pause
  ])
})

test("midnight ends a run", () => {
  expect(lay([at("inga", "2026-11-22T23:59:59"), at("inga", "2026-11-23T00:00:00")])).toHaveLength(2)
})
