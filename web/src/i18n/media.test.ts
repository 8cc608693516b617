import { expect, test } from "vitest"

import { mediaEn, type MediaKey } from "./media-en"
import { mediaJa } from "./media-ja"

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

test.each(Object.keys(mediaEn) as MediaKey[])("%s fills in the same values in both languages", (key) => {
  expect(placeholders(mediaJa[key])).toEqual(placeholders(mediaEn[key]))
})
