import { expect, test } from "vitest"

import { conversation } from "./examples"
import { colour, initial, know, others } from "./people"

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
