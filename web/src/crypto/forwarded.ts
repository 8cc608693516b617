/**
 * The mark of forwarded messages. It is a part of the text, so that it is encrypted with it, and so that other clients show
 * it, too. Keyboards do not produce it: it ends with a selector that asks for the arrow as text.
 */
const MARK = "\u21AA\uFE0E "

/** Returns a text with the mark. */
export function asForwarded(text: string): string {
  return `${MARK}${text}`.trimEnd()
}

/** Returns a text without the mark, and whether it had one. */
export function readForwarded(text: string): { readonly text: string; readonly forwarded?: true } {
  if (text === MARK.trimEnd()) return { text: "", forwarded: true }
  return text.startsWith(MARK) ? { text: text.slice(MARK.length), forwarded: true } : { text }
}
