import { expect, test } from "vitest"

import { matchingNames } from "./names"
import { hasWordStarts, occursAtWordStart } from "./word-start"

const NAMES = ["Summer house", "Grandma Inga", "おばあちゃん", "Emil Söderström", "Maja & Emil"]
const matching = (query: string) => matchingNames(query, NAMES, (name) => name)

test("names are found by any of their words, without marks and case", () => {
  expect(matching("HOUSE")).toEqual(["Summer house"])
  expect(matching("soder")).toEqual(["Emil Söderström"])
  expect(matching("オバア")).toEqual(["おばあちゃん"])
  expect(matching("emil maj")).toEqual(["Maja & Emil"])
  expect(matching("ferry")).toEqual([])
})

test("names that begin as typed come first, and otherwise the order is kept", () => {
  expect(matching("m")).toEqual(["Maja & Emil", "Summer house", "Grandma Inga", "Emil Söderström"])
  expect(matching("")).toEqual(NAMES)
})

test("a script without spaces has no beginnings of words", () => {
  expect([hasWordStarts("京都"), hasWordStarts("kyoto")]).toEqual([false, true])
  expect(occursAtWordStart("a part", "art")).toBe(false)
  expect(occursAtWordStart("a part of art", "art")).toBe(true)
  expect(occursAtWordStart("a part of art", "art", 3, 6)).toBe(true)
  expect(occursAtWordStart("a part of art", "art", 2, 6)).toBe(false)
  expect(occursAtWordStart("l'été", "été")).toBe(true)
  expect(occursAtWordStart("ñandú", "andú")).toBe(false)
})
