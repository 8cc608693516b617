import { expect, test } from "vitest"

import { shortcutsEn, type ShortcutsKey } from "./shortcuts-en"
import { shortcutsJa } from "./shortcuts-ja"

test.each(Object.keys(shortcutsEn) as ShortcutsKey[])("%s has a text in both languages", (key) => {
  expect(shortcutsEn[key].trim()).not.toBe("")
  expect(shortcutsJa[key].trim()).not.toBe("")
})
