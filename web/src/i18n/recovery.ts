/** Translates the texts about forgotten passwords, in the user's language. */
import { derived } from "svelte/store"

import { app, language } from "./language"
import { recoveryEn, type RecoveryKey } from "./recovery-en"
import { recoveryJa } from "./recovery-ja"
import { translatorOf } from "./translate"

const TEXTS: Readonly<Record<string, Readonly<Record<RecoveryKey, string>>>> = {
  en: recoveryEn,
  ja: recoveryJa,
}

export const recovery = derived(language, (tag) => translatorOf(TEXTS[tag] ?? recoveryEn, tag, app))
