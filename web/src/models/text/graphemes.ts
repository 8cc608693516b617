/** User-perceived characters: what a cursor moves over in one step, such as a letter with its marks, or a flag. */

/** Undefined in Firefox before version 125. */
const Segmenter = (Intl as Partial<typeof Intl>).Segmenter
const segmenter = Segmenter && new Segmenter(undefined, { granularity: "grapheme" })

const JOINER = "\u200d"
const CONTINUES = /^[\p{M}\p{Emoji_Modifier}\u200c\u200d\u{e0020}-\u{e007f}]/u
const REGIONAL = /^\p{Regional_Indicator}/u

/** Splits text into graphemes. */
export function graphemes(text: string): readonly string[] {
  return segmenter ? Array.from(segmenter.segment(text), ({ segment }) => segment) : approximateGraphemes(text)
}

/**
 * Leaves at most eight marks after a letter, which is enough for every script. For texts of other users that the system
 * displays: there, nothing clips marks that cover the surroundings.
 */
export function withFewMarks(text: string): string {
  return text.replace(/(\p{M}{8})\p{M}+/gu, "$1")
}

/** Without a segmenter: joins marks, skin tones, joined emoji and flags, but not the syllables of all scripts. */
export function approximateGraphemes(text: string): readonly string[] {
  const found: string[] = []
  for (const character of text) {
    const before = found.at(-1)
    const isFlag = before?.length === 2 && REGIONAL.test(before) && REGIONAL.test(character)
    if (before !== undefined && (isFlag || before.endsWith(JOINER) || CONTINUES.test(character))) {
      found[found.length - 1] = before + character
    } else found.push(character)
  }
  return found
}
