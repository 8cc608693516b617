/** Translates the texts of the list of keyboard shortcuts, in the user's language. */
import { derived } from "svelte/store"

import { app, language } from "./language"
import { shortcutsEn, type ShortcutsKey } from "./shortcuts-en"
import { shortcutsJa } from "./shortcuts-ja"
import { translatorOf } from "./translate"

const TEXTS: Readonly<Record<string, Readonly<Record<ShortcutsKey, string>>>> = {
  en: shortcutsEn,
  ja: shortcutsJa,
}

export const shortcutTexts = derived(language, (tag) => translatorOf(TEXTS[tag] ?? shortcutsEn, tag, app))
