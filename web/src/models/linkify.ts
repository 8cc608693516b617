/** What somebody said, taken apart into words and links. Only addresses of the web become links, and never a script. */

export type Piece =
  | { readonly kind: "words"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string }

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^\u3000-\u303f\uff00-\uff0f]+/giu
/** Punctuation after an address belongs to the sentence. */
const AFTER = /[.,:;!?…'"»”’)\]]+$/u
const MOST_EMOJI = 6
const SIGN = /^(\p{Extended_Pictographic}|\p{Regional_Indicator})/u
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0])
    const href = webAddress(address)
    if (href === undefined) continue
    if (match.index > from) found.push({ kind: "words", text: text.slice(from, match.index) })
    found.push({ kind: "link", text: address, href })
    from = match.index + address.length
  }
  if (from < text.length) found.push({ kind: "words", text: text.slice(from) })
  return found
}

/** Whether a message is nothing but a few emoji, which are shown large. */
export function onlyEmoji(text: string): boolean {
  const said = text.replace(/\s/gu, "")
  if (!SIGN.test(said)) return false // as nearly everything that people say, which need not be taken apart
  const signs = [...graphemes.segment(said)]
  return signs.length <= MOST_EMOJI && signs.every(({ segment }) => SIGN.test(segment))
}

/** A closing bracket stays if it was opened inside: encyclopedias write such addresses. */
function trimmed(address: string): string {
  const end = AFTER.exec(address)?.[0] ?? ""
  const kept = end.startsWith(")") && address.includes("(") ? 1 : 0
  return address.slice(0, address.length - end.length + kept)
}

function webAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, href, username } = new URL(text)
  // `https://bank.example@evil.example` leads to evil.example.
  return /^https?:$/.test(protocol) && username === "" ? href : undefined
}
