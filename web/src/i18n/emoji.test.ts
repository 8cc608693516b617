import { expect, test } from "vitest"

import { emojiEn, type EmojiKey } from "./emoji-en"
import { emojiJa } from "./emoji-ja"

test.each(Object.keys(emojiEn) as EmojiKey[])("%s has a text in both languages", (key) => {
  expect(emojiEn[key].trim()).not.toBe("")
  expect(emojiJa[key].trim()).not.toBe("")
})
