import { expect, test } from "vitest"

import { settingsEn, type SettingsKey } from "./settings-en"
import { settingsJa } from "./settings-ja"

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

test.each(Object.keys(settingsEn) as SettingsKey[])("%s fills in the same values in both languages", (key) => {
  expect(placeholders(settingsJa[key])).toEqual(placeholders(settingsEn[key]))
})
