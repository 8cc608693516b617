/** The form in which texts are searched, the same for a query and for a message. */

/** Marks above and below Latin, Greek and Cyrillic letters. The voicing marks of kana (U+3099) are not among them. */
const DIACRITICS = /[\u0300-\u036f]/g
const KATAKANA = /[\u30a1-\u30f6\u30fd\u30fe]/g
/** The distance between the blocks of katakana and hiragana. */
const TO_HIRAGANA = 0x60
const PLAIN = /^[ -~]*$/

/**
 * Folds case, width, diacritics, and katakana to hiragana, in Unicode NFKC. White space, line breaks included, becomes
 * spaces. The folded parts of a text, cut between graphemes, are the parts of the folded text.
 */
export function fold(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase()
  return text
    .normalize("NFKD")
    .replace(DIACRITICS, "")
    .toUpperCase() // so that ß becomes ss, as SS does
    .toLowerCase()
    .replaceAll("ς", "σ") // the form at the end of a word
    .normalize("NFKC")
    .replace(KATAKANA, (kana) => String.fromCharCode(kana.charCodeAt(0) - TO_HIRAGANA))
    .replace(/\s/g, " ")
}

/** The words of a query: all must occur. */
export function queryWords(query: string): readonly string[] {
  return [...new Set(fold(query).split(" "))].filter((word) => word !== "")
}
