/** The language of this device: chosen by the user, or taken from the browser. */
import { derived, writable } from "svelte/store"

import { choose, translator } from "./translate"

const KEY = "famichat.language"
const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"])

export const language = writable(localStorage.getItem(KEY) ?? choose(navigator.languages))
/** The app's name, which the operator may change. */
export const app = document.querySelector<HTMLMetaElement>('meta[name="application-name"]')?.content ?? "Famichat"
export const t = derived(language, (tag) => translator(tag, app))
/** The locale for dates and times: the browser's, if it matches the language of the page. */
export const locale = derived(
  language,
  (tag) => navigator.languages.find((wanted) => wanted === tag || wanted.startsWith(`${tag}-`)) ?? tag,
)

language.subscribe((tag) => {
  document.documentElement.lang = tag
  document.documentElement.dir = RIGHT_TO_LEFT.has(tag) ? "rtl" : "ltr"
})

export function speak(tag: string): void {
  localStorage.setItem(KEY, tag)
  language.set(tag)
}
