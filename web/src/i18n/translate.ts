/** Translates texts. Pure functions; `language.ts` holds the user's choice. */
import { once } from "./once"
import { en, type Key, type Messages, type Text } from "./en"

interface Language {
  readonly name: string
  /** Loads the texts. Those in English are there, because they take the place of texts that cannot be loaded. */
  readonly load: () => Promise<Messages>
}

export const LANGUAGES: Readonly<Record<string, Language>> = {
  en: { name: "English", load: async () => en },
  ja: { name: "日本語", load: async () => (await import("./ja")).ja },
}

type Values = Readonly<Record<string, string | number>>
type TranslateOf<K> = (key: K, values?: Values) => string
export type Translate = TranslateOf<Key>

/** Returns the first supported language of the preferred ones, else English. */
export function choose(wanted: readonly string[]): string {
  return wanted.map((tag) => tag.split("-")[0] ?? "").find((tag) => tag in LANGUAGES) ?? "en"
}

/**
 * @param messages the texts in this language
 * @param app the app's name
 */
export function translatorOf<K extends string>(
  messages: Readonly<Record<K, Text>>,
  language: string,
  app = "Famichat",
): TranslateOf<K> {
  const plural = new Intl.PluralRules(language)
  return (key, values = {}) => fill(form(messages[key], values["n"], plural).replaceAll("Famichat", app), values)
}

/** Returns the text for an error code, or the general one if the code has none. */
export function refusalKey(code: string): Key {
  const key = `error.${code}`
  return key in en ? (key as Key) : "error.unknown"
}

const list = once((language: string) => new Intl.ListFormat(language, { type: "conjunction" }))

/** Joins names in the user's language: `Maja, Emil and Inga`. */
export function joined(language: string, names: readonly string[]): string {
  return list(language).format(names)
}

function form(text: Text, n: string | number | undefined, plural: Intl.PluralRules): string {
  if (typeof text === "string") return text
  return plural.select(Number(n)) === "one" ? (text.one ?? text.other) : text.other
}

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""))
}
