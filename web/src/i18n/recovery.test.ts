import { expect, test } from "vitest"

import { recoveryEn, type RecoveryKey } from "./recovery-en"
import { recoveryJa } from "./recovery-ja"

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort()

test.each(Object.keys(recoveryEn) as RecoveryKey[])("%s fills in the same values in both languages", (key) => {
  expect(placeholders(recoveryJa[key])).toEqual(placeholders(recoveryEn[key]))
})
