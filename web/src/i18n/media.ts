/** Translates the texts of the views of photos, videos and voice messages, in the user's language. */
import { derived } from "svelte/store"

import { app, language } from "./language"
import { mediaEn, type MediaKey } from "./media-en"
import { mediaJa } from "./media-ja"
import { translatorOf } from "./translate"

const TEXTS: Readonly<Record<string, Readonly<Record<MediaKey, string>>>> = {
  en: mediaEn,
  ja: mediaJa,
}

export const mediaTexts = derived(language, (tag) => translatorOf(TEXTS[tag] ?? mediaEn, tag, app))
