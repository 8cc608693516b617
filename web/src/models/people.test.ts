import { expect, test } from "vitest"

import { conversation } from "./examples"
import { colour, initial, isLeftAlone, know, meet, others } from "./people"

test("an initial is what a reader takes for the first letter", () => {
  expect(["inga", " åsa", "はな", "👩‍👩‍👧 we", ""].map(initial)).toEqual(["I", "Å", "は", "👩‍👩‍👧", "?"])
})

test("a colour is the same everywhere, and the demo's family has different ones", () => {
  const colours = ["maja", "emil", "inga", "nils"].map(colour)
  expect(new Set(colours).size).toBe(4)
  expect(colours.every((each) => each >= 0 && each < 8)).toBe(true)
})

test("the others are everybody but me", () => {
  expect(others(conversation("kitchen"), "maja")).toEqual(["inga", "nils"])
})

test("the newest name counts", () => {
  const people = know(know(new Map(), [{ user_id: "1", username: "inga" }]), [{ user_id: "1", username: "gran" }])
  expect(people.get("1")).toBe("gran")
})

test("whoever is in no family and no conversation any more has no name any more", () => {
  const known = new Map([
    ["inga", "inga"],
    ["nils", "nils"],
    ["gone", "emil"],
  ])
  const people = meet(known, [{ user_id: "nils", username: "Nils" }], [conversation("kitchen")])
  expect([...people.entries()].sort()).toEqual([
    ["inga", "inga"],
    ["nils", "Nils"],
  ])
})

test("who talked with somebody that is gone is left alone, and nobody else is", () => {
  const direct = { ...conversation("two"), type: "direct" } as const
  expect(isLeftAlone(direct, "maja")).toBe(false)
  expect(isLeftAlone({ ...direct, members: direct.members.slice(0, 1) }, direct.members[0]?.user_id ?? "")).toBe(true)
  expect(isLeftAlone({ ...direct, type: "group", members: [] }, "maja")).toBe(false)
})
