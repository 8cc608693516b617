/** Loads the emoji with their names, about 60 kB for a language other than English. */
import { readEmoji, type Emoji } from "./emoji"

const NAMES: Readonly<Record<string, () => Promise<{ readonly default: string }>>> = {
  en: () => import("virtual:emoji/en"),
  ja: () => import("virtual:emoji/ja"),
}

export async function loadEmoji(language: string): Promise<readonly Emoji[]> {
  const languages = [...new Set([language, "en"])]
  const [list, ...names] = await Promise.all([
    import("virtual:emoji/list"),
    ...languages.flatMap((each) => NAMES[each]?.() ?? []),
  ])
  return readEmoji(
    list.default,
    names.map((each) => each.default),
  )
}
