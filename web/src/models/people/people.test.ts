import { expect, test } from "vitest"

import { conversation } from "../fixtures"
import {
  colour,
  colourOf,
  COLOURS,
  initial,
  isPartnerGone,
  withPeople,
  currentPeople,
  unknownPerson,
  others,
  shownName,
} from "./people"

test("an initial is what a reader takes for the first letter", () => {
  expect(["inga", " åsa", "はな", "👩‍👩‍👧 we", ""].map(initial)).toEqual(["I", "Å", "は", "👩‍👩‍👧", "?"])
})

test("a colour is the same everywhere, and the demo's family has different ones", () => {
  const colours = ["maja", "emil", "inga", "nils"].map(colour)
  expect(new Set(colours).size).toBe(4)
  expect(colours.every((each) => each >= 0 && each < 8)).toBe(true)
})

test("the others are all members except the user", () => {
  expect(others(conversation("kitchen"), "maja")).toEqual(["inga", "nils"])
})

test("the newest name counts", () => {
  const gran = { ...unknownPerson("1", "inga"), display_name: "Gran" }
  const people = withPeople(withPeople(new Map(), [unknownPerson("1", "inga")]), [gran])
  expect(people.get("1")).toBe(gran)
})

test("a person is shown by display name, or else by username, also from an older cache", () => {
  const inga = unknownPerson("1", "inga")
  expect(shownName({ ...inga, display_name: "Gran 🌻" })).toBe("Gran 🌻")
  expect(shownName(inga)).toBe("inga")
  expect(shownName(JSON.parse('{"username": "inga"}') as typeof inga)).toBe("inga")
})

test("a chosen colour is used, or else one derived from the username", () => {
  const inga = unknownPerson("1", "inga")
  expect(colourOf({ ...inga, color: "rose" })).toBe(COLOURS.indexOf("rose"))
  expect(colourOf({ ...inga, display_name: "Gran" })).toBe(colour("inga"))
})

test("people without a shared family or conversation are removed", () => {
  const known = new Map(["inga", "nils", "gone"].map((id) => [id, unknownPerson(id, id)]))
  const people = currentPeople(known, [unknownPerson("nils", "Nils")], [conversation("kitchen")])
  expect([...people].map(([id, { username }]) => [id, username]).sort()).toEqual([
    ["inga", "inga"],
    ["nils", "Nils"],
  ])
})

test("only conversations with a deleted account are without a recipient", () => {
  const direct = { ...conversation("two"), type: "direct" } as const
  expect(isPartnerGone(direct, "maja")).toBe(false)
  expect(isPartnerGone({ ...direct, members: direct.members.slice(0, 1) }, direct.members[0]?.user_id ?? "")).toBe(true)
  expect(isPartnerGone({ ...direct, type: "group", members: [] }, "maja")).toBe(false)
})
