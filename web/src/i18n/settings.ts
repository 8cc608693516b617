/** Translates the texts of the settings pages, in the user's language. */
import { derived } from "svelte/store"

import { app, language } from "./language"
import { settingsEn, type SettingsKey } from "./settings-en"
import { settingsJa } from "./settings-ja"
import { translatorOf } from "./translate"

const TEXTS: Readonly<Record<string, Readonly<Record<SettingsKey, string>>>> = { en: settingsEn, ja: settingsJa }

export const settings = derived(language, (tag) => translatorOf(TEXTS[tag] ?? settingsEn, tag, app))
