import { expect, test } from "vitest"

import { excerpt } from "./excerpt"
import { queryWords } from "./fold"

/** The excerpt with its hits in brackets. */
const marked = (text: string, query: string) =>
  excerpt(text, queryWords(query))
    .map((part) => (part.hit ? `[${part.text}]` : part.text))
    .join("")

test("all hits are marked in the original text", () => {
  expect(marked("The Ferry, the ferry!", "ferry")).toBe("The [Ferry], the [ferry]!")
  expect(marked("Crème brûlée", "creme brulee")).toBe("[Crème] [brûlée]")
  expect(marked("明日のサクラ祭り", "さくら")).toBe("明日の[サクラ]祭り")
  expect(marked("ﾊﾞﾅﾅを買う", "バナナ")).toBe("[ﾊﾞﾅﾅ]を買う")
})

test("a letter that folds to two is marked as a whole", () => {
  expect(marked("Straße", "s")).toBe("[S]tra[ß]e")
})

test("a long message is cut around its first hit, at the beginning of a word", () => {
  const text = `${"before ".repeat(40)}pump ${"after ".repeat(60)}`
  const shown = marked(text, "pump")
  expect(shown).toMatch(/^…before before before \[pump\] after/)
  expect(shown).toMatch(/…$/)
  expect(shown.length).toBeLessThan(160)
})

test("a text without spaces is cut between graphemes", () => {
  expect(marked(`${"👨‍👩‍👧".repeat(40)}桜`, "桜")).toBe(`…${"👨‍👩‍👧".repeat(24)}[桜]`)
})

test("a text without a hit is shown from its beginning", () => {
  expect(marked("Nothing here", "pump")).toBe("Nothing here")
})
