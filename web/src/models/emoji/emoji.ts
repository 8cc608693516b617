/** The emoji that the picker offers, and the search among them. */
import { fold, queryWords } from "../search/fold"
import { emojiForm } from "../visible-text"
import { withoutSkinTone } from "./skin-tone"

/** In the order of the groups in the data. */
export const EMOJI_GROUPS = [
  "smileys",
  "people",
  "nature",
  "food",
  "travel",
  "activities",
  "objects",
  "symbols",
  "flags",
] as const
export type EmojiGroup = (typeof EMOJI_GROUPS)[number]

export interface Emoji {
  /** Without a skin tone. */
  readonly emoji: string
  readonly group: EmojiGroup
  readonly hasSkinTones: boolean
  readonly name: string
  /** What a search finds, folded: the emoji, and its name and other words in the user's language and in English. */
  readonly words: string
}

const MOST_RECENT = 24

/**
 * Reads the data that the build makes.
 *
 * @param list one line of emoji per group
 * @param names one line per emoji, in each language; the first is the user's
 */
export function readEmoji(list: string, names: readonly string[]): readonly Emoji[] {
  const lines = names.map((each) => each.split("\n"))
  const all = list.split("\n").flatMap((line, group) => line.split(" ").map((emoji) => ({ emoji, group })))
  return all.map(({ emoji, group }, index) => {
    const named = lines.map((each) => (each[index] ?? "").split("|"))
    const bare = emoji.replace("+", "")
    return {
      emoji: bare,
      group: EMOJI_GROUPS[group] ?? "symbols",
      hasSkinTones: bare !== emoji,
      name: named.find(([name]) => name)?.[0] ?? bare,
      words: fold([bare, ...named.flat()].join(" ")),
    }
  })
}

/** Returns the emoji that all words of a query match; those whose name begins with it first, then other names. */
export function findEmoji(all: readonly Emoji[], query: string): readonly Emoji[] {
  const words = queryWords(query)
  if (words.length === 0) return []
  const found = all.filter((each) => words.every((word) => each.words.includes(word)))
  const rank = ({ name }: Emoji) => {
    const at = fold(name).indexOf(words[0] ?? "")
    return at < 0 ? 2 : Math.min(at, 1)
  }
  return found.sort((a, b) => rank(a) - rank(b))
}

/** The name of an emoji, whatever its skin tone; the emoji if it has none here. */
export function nameOfEmoji(all: readonly Emoji[], emoji: string): string {
  const form = emojiForm(withoutSkinTone(emoji))
  return all.find((each) => emojiForm(each.emoji) === form)?.name ?? emoji
}

/** Adds an emoji as the latest one. */
export function withRecentEmoji(recent: readonly string[], emoji: string): readonly string[] {
  return [emoji, ...recent.filter((each) => each !== emoji)].slice(0, MOST_RECENT)
}
