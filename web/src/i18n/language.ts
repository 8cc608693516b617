/** The language of this device: chosen by the user, or taken from the browser. */
import { derived, writable } from "svelte/store"

import { en, type Messages } from "./en"
import { choose, LANGUAGES, translatorOf } from "./translate"

const KEY = "famichat.language"
const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"])

const loaded = new Map<string, Messages>([["en", en]])

export const language = writable("en")
/** The app's name, which the operator may change. */
export const app = document.querySelector<HTMLMetaElement>('meta[name="application-name"]')?.content ?? "Famichat"
export const t = derived(language, (tag) => translatorOf(loaded.get(tag) ?? en, tag, app))
/** The locale for dates and times: the browser's, if it matches the language of the page. */
export const locale = derived(
  language,
  (tag) => navigator.languages.find((wanted) => wanted === tag || wanted.startsWith(`${tag}-`)) ?? tag,
)

language.subscribe((tag) => {
  document.documentElement.lang = tag
  document.documentElement.dir = RIGHT_TO_LEFT.has(tag) ? "rtl" : "ltr"
})

/** Loads the texts in the language of this device, before the first view is shown. */
export async function speakOwnLanguage(): Promise<void> {
  await load(localStorage.getItem(KEY) ?? choose(navigator.languages))
}

export async function speak(tag: string): Promise<void> {
  localStorage.setItem(KEY, tag)
  await load(tag)
}

/** Without a response, the language stays as it is until the next start. */
async function load(tag: string): Promise<void> {
  try {
    loaded.set(tag, (await LANGUAGES[tag]?.load()) ?? en)
    language.set(tag)
  } catch (error) {
    console.warn("the language could not be loaded", error)
  }
}
