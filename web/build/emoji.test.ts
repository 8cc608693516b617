/** The data of the emoji picker, as the build makes it. */
import { createRequire } from "node:module"

import { expect, test } from "vitest"

import { EMOJI_GROUPS, readEmoji } from "../src/models/emoji/emoji"
import { SKIN_TONES, withSkinTone } from "../src/models/emoji/skin-tone"
import { brotli } from "./compress"
import { emojiList, emojiNames } from "./emoji"

const list = emojiList()
const japanese = emojiNames("ja")

test("all groups have emoji with names in both languages", () => {
  const all = readEmoji(list, [japanese, emojiNames("en")])
  expect(new Set(all.map(({ group }) => group))).toEqual(new Set(EMOJI_GROUPS))
  expect(all.length).toBeGreaterThan(1_800)
  expect(all.filter(({ name, emoji }) => name === emoji)).toEqual([])
  const smile = all.find(({ emoji }) => emoji === "😀")
  expect(smile?.name).toBe("にっこり笑う")
  expect(smile?.words).toContain("grinning")
})

test("a skin tone makes the emoji of Unicode", () => {
  const data = createRequire(import.meta.url)("emojibase-data/en/data.json") as {
    readonly emoji: string
    readonly skins?: readonly { readonly emoji: string }[]
  }[]
  const known = new Set(data.flatMap(({ skins = [] }) => skins.map(({ emoji }) => emoji)))
  const toned = readEmoji(list, [japanese]).filter(({ hasSkinTones }) => hasSkinTones)
  expect(toned.length).toBeGreaterThan(250)
  const unknown = toned.flatMap(({ emoji }) =>
    SKIN_TONES.slice(1)
      .map((tone) => withSkinTone(emoji, tone))
      .filter((each) => !known.has(each)),
  )
  expect(unknown).toEqual([])
})

test("the names of a language stay small on the wire", () => {
  expect(brotli(Buffer.from(list)).length).toBeLessThan(10_000)
  for (const language of ["en", "ja"]) {
    expect(brotli(Buffer.from(emojiNames(language))).length).toBeLessThan(35_000)
  }
})
