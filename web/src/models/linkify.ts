/** Splits text into plain text and links. Only http and https URLs become links, never scripts. */

export type TextPart =
  | { readonly kind: "words"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string }

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^\u3000-\u303f\uff00-\uff0f]+/giu
/** Punctuation after a URL belongs to the sentence. */
const TRAILING_PUNCTUATION = /[.,:;!?…'"»”’)\]]+$/u
const MAX_LARGE_EMOJI = 6
const EMOJI = /^(\p{Extended_Pictographic}|\p{Regional_Indicator})/u
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

export function linkify(text: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let from = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutPunctuation(match[0])
    const href = webAddress(address)
    if (href === undefined) continue
    if (match.index > from) parts.push({ kind: "words", text: text.slice(from, match.index) })
    parts.push({ kind: "link", text: address, href })
    from = match.index + address.length
  }
  if (from < text.length) parts.push({ kind: "words", text: text.slice(from) })
  return parts
}

/** Whether a message consists of a few emoji only, which are shown large. */
export function onlyEmoji(text: string): boolean {
  const compact = text.replace(/\s/gu, "")
  if (!EMOJI.test(compact)) return false // as nearly everything that people say, which need not be taken apart
  const graphemesIn = [...graphemes.segment(compact)]
  return graphemesIn.length <= MAX_LARGE_EMOJI && graphemesIn.every(({ segment }) => EMOJI.test(segment))
}

/** Keeps a closing bracket whose opening bracket is in the URL, as in Wikipedia URLs. */
function withoutPunctuation(address: string): string {
  const end = TRAILING_PUNCTUATION.exec(address)?.[0] ?? ""
  const kept = end.startsWith(")") && address.includes("(") ? 1 : 0
  return address.slice(0, address.length - end.length + kept)
}

function webAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, href, username } = new URL(text)
  // `https://bank.example@evil.example` opens evil.example.
  return /^https?:$/.test(protocol) && username === "" ? href : undefined
}
