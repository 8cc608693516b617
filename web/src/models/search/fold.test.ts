import { expect, test } from "vitest"

import { graphemes } from "../text/graphemes"
import { fold, queryWords } from "./fold"

test.each([
  ["Straße", "STRASSE"],
  ["Café", "cafe"],
  ["Ångström", "angstrom"],
  ["İstanbul", "istanbul"],
  ["ΟΔΟΣ", "οδός"],
  ["さくら", "サクラ"],
  ["がっこう", "ガッコウ"],
  ["バナナ", "ﾊﾞﾅﾅ"],
  ["ＡＢＣ１２３", "abc123"],
  ["㍿", "株式会社"],
  ["時々ヾ", "時々ゞ"],
])("%s and %s are the same", (one, other) => {
  expect(fold(one)).toBe(fold(other))
})

test("different words stay different", () => {
  expect(fold("か")).not.toBe(fold("が"))
  expect(fold("おばさん")).not.toBe(fold("おばあさん"))
})

test("a folded text has no line breaks", () => {
  expect(fold("One\ntwo\r\nthree\u2028four　五")).toBe("one two  three four 五")
})

test("the folded graphemes of a text are its folded form", () => {
  const text = "Crème brûlée à ΟΔΟΣ, ﾊﾞﾅﾅ と プリン 👨‍👩‍👧 각 Straße"
  expect(graphemes(text).map(fold).join("")).toBe(fold(text))
})

test("the words of a query are folded, and each is there once", () => {
  expect(queryWords(" Fähre　フェリー fahre ")).toEqual(["fahre", "ふぇりー"])
  expect(queryWords("  ")).toEqual([])
})
