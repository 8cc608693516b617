/** Whether words occur in a text at the beginning of a word. Texts and words are folded. */

const LETTER = /[\p{L}\p{N}]/u
const WITHOUT_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u
const ASCII = 0x80
const ASCII_LETTERS = Array.from({ length: ASCII }, (_, code) => LETTER.test(String.fromCharCode(code)))

/** A script without spaces has no beginnings of words: there, each place counts as one. */
export function hasWordStarts(word: string): boolean {
  return !WITHOUT_SPACES.test(word)
}

/** Whether a word that `hasWordStarts` occurs in a part of a text at the beginning of a word. */
export function occursAtWordStart(text: string, word: string, from = 0, to = text.length): boolean {
  for (let at = text.indexOf(word, from); at >= 0 && at < to; at = text.indexOf(word, at + 1)) {
    if (at === from || !isLetter(text, at - 1)) return true
  }
  return false
}

function isLetter(text: string, index: number): boolean {
  return ASCII_LETTERS[text.charCodeAt(index)] ?? LETTER.test(text.charAt(index))
}
