/** Whether a word occurs in a text at the beginning of a word. Both are folded. */

const LETTER = /[\p{L}\p{N}]/u
const WITHOUT_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u

/** A script without spaces has no beginnings of words: there, each place counts as one. */
export function occursAtWordStart(text: string, word: string): boolean {
  if (WITHOUT_SPACES.test(word)) return text.includes(word)
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (at === 0 || !LETTER.test(text.charAt(at - 1))) return true
  }
  return false
}
