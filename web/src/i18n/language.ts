/** The language of this device: chosen once by its person, or taken from the browser. */
import { derived, writable } from "svelte/store"

import { choose, translator } from "./translate"

const KEY = "famichat.language"
const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"])

export const language = writable(localStorage.getItem(KEY) ?? choose(navigator.languages))
export const t = derived(language, translator)

language.subscribe((tag) => {
  document.documentElement.lang = tag
  document.documentElement.dir = RIGHT_TO_LEFT.has(tag) ? "rtl" : "ltr"
})

export function speak(tag: string): void {
  localStorage.setItem(KEY, tag)
  language.set(tag)
}
