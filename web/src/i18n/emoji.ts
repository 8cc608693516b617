/** Translates the texts of the emoji picker, in the user's language. */
import { derived } from "svelte/store"

import { emojiEn, type EmojiKey } from "./emoji-en"
import { emojiJa } from "./emoji-ja"
import { app, language } from "./language"
import { translatorOf } from "./translate"

const TEXTS: Readonly<Record<string, Readonly<Record<EmojiKey, string>>>> = {
  en: emojiEn,
  ja: emojiJa,
}

export const emojiTexts = derived(language, (tag) => translatorOf(TEXTS[tag] ?? emojiEn, tag, app))
