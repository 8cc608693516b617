import { expect, test } from "vitest"

import { findEmoji, nameOfEmoji, readEmoji, withRecentEmoji } from "./emoji"
import { withSkinTone, withoutSkinTone } from "./skin-tone"

const all = readEmoji("😀 😄\n👋+ ☝️+\n🌸", [
  "にっこり笑う|顔 笑顔\n目を細めて笑う|顔\n手を振る|バイバイ\n人差し指|指\n桜|さくら 花",
  "grinning face|smile\ngrinning eyes|happy\nwaving hand|bye\nindex pointing up|one\ncherry blossom|spring flower",
])
const found = (query: string) => findEmoji(all, query).map(({ emoji }) => emoji)

test("a search finds parts of words, in the user's language and in English", () => {
  expect(found("笑")).toEqual(["😀", "😄"])
  expect(found("サクラ"), "in katakana").toEqual(["🌸"])
  expect(found("Blossom")).toEqual(["🌸"])
  expect(found("手 bye"), "all words must occur").toEqual(["👋"])
  expect(found("☝️")).toEqual(["☝️"])
  expect(found(" ")).toEqual([])
})

test("names that begin with the query are first", () => {
  const english = readEmoji("🌷 🌸\n🥬", ["tulip|flower\nflower of spring|\nleaf|flower"])
  expect(findEmoji(english, "flo").map(({ emoji }) => emoji)).toEqual(["🌸", "🌷", "🥬"])
})

test("an emoji has its name with every skin tone", () => {
  expect(withSkinTone("☝️", 3)).toBe("☝🏽")
  expect(withSkinTone("👩‍🤝‍👩", 1)).toBe("👩🏻‍🤝‍👩🏻")
  expect(withSkinTone("👋", 0)).toBe("👋")
  expect(withoutSkinTone("👋🏿")).toBe("👋")
  expect(nameOfEmoji(all, "☝🏽")).toBe("人差し指")
  expect(nameOfEmoji(all, "🦄"), "newer than the data").toBe("🦄")
})

test("the latest 24 emoji are kept, each once", () => {
  const many = Array.from({ length: 30 }, (_, index) => String.fromCodePoint(0x1f600 + index))
  const recent = many.reduce<readonly string[]>(withRecentEmoji, [])
  expect(recent).toEqual(many.slice(-24).reverse())
  expect(withRecentEmoji(recent, recent[5] ?? "").length).toBe(24)
})
