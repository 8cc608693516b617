/**
 * Virtual modules with the emoji of Unicode, made from emojibase-data, which is much larger:
 *
 * - `virtual:emoji/list`: one line of emoji per group, separated by spaces. A plus sign follows those with skin tones.
 * - `virtual:emoji/en`, `virtual:emoji/ja`: one line per emoji in the same order, with its name and, after a bar, the
 *   words that find it.
 */
import { createRequire } from "node:module"

import type { Plugin } from "vite"

import { withSkinTone } from "../src/models/emoji/skin-tone"

interface Entry {
  readonly emoji: string
  readonly label: string
  readonly tags?: readonly string[]
  /** Missing in letters that only occur in flags. */
  readonly group?: number
  readonly order?: number
  readonly version: number
  readonly skins?: readonly { readonly emoji: string }[]
}

const PREFIX = "virtual:emoji/"
/** Skin tones and hair, which are not used alone. */
const COMPONENTS = 2
/** Emoji of 2023: older phones draw newer ones as boxes. */
const NEWEST_VERSION = 15.1

export function emojiModules(): Plugin {
  return {
    name: "famichat:emoji",
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined
      const name = id.slice(PREFIX.length + 1)
      return `export default ${JSON.stringify(name === "list" ? emojiList() : emojiNames(name))}`
    },
  }
}

export function emojiList(): string {
  const groups = new Map<number, string[]>()
  for (const each of entries("en")) {
    const emoji = hasSkinTones(each) ? `${each.emoji}+` : each.emoji
    groups.set(each.group, [...(groups.get(each.group) ?? []), emoji])
  }
  return [...groups.values()].map((each) => each.join(" ")).join("\n")
}

export function emojiNames(language: string): string {
  const named = new Map(entries(language).map((each) => [each.emoji, each]))
  const lines = entries("en").map(({ emoji }) => {
    const { label, tags = [] } = named.get(emoji) ?? { label: "" }
    return `${label}|${tags.filter((tag) => !label.includes(tag)).join(" ")}`
  })
  return lines.join("\n")
}

function entries(language: string): readonly (Entry & { readonly group: number })[] {
  const all = createRequire(import.meta.url)(`emojibase-data/${language}/data.json`) as readonly Entry[]
  return all
    .filter((each): each is Entry & { group: number } => each.group !== undefined && each.group !== COMPONENTS)
    .filter(({ version }) => version <= NEWEST_VERSION)
    .sort((a, b) => a.group - b.group || (a.order ?? 0) - (b.order ?? 0))
}

function hasSkinTones({ emoji, skins = [] }: Entry): boolean {
  return skins.some((skin) => skin.emoji === withSkinTone(emoji, 1))
}
