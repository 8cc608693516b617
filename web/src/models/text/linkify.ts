/**
 * Splits text into plain text and links: http and https URLs, never scripts, email addresses and phone numbers.
 *
 * A message can contain anything, so one pass over the text must be enough: the regular expressions here match one
 * character or a fixed number of them, and no part of the text is examined again after it has turned out to be no link.
 */
import { emailAddressAt, phoneNumberAt, type TextLink } from "./contact-addresses"
import { graphemes } from "./graphemes"

export type TextPart =
  | { readonly kind: "words"; readonly text: string }
  | { readonly kind: "link"; readonly text: string; readonly href: string }

const BEGINNING = /https?:\/\/|www\.|[@+0]/giu
const NO_SCHEME = /^www\./iu
/** What a URL cannot follow directly; one without a scheme cannot be a part of a host name, path or email address. */
const WORD = /\w/u
const WORD_OR_ADDRESS = /[\w.@/-]/u
/** Ends a URL: white space, invisible characters, quotes, full-width punctuation, and what URLs must escape. */
const OUTSIDE =
  /[\s\p{Cc}\p{Cf}<>"`{}\\^“”„«»‹›\u3000-\u3004\u3008-\u3020\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/u
/** Punctuation after a URL belongs to the sentence. */
const PUNCTUATION = /[.,:;!?…*|’([]/u
const CLOSING: Readonly<Record<string, string>> = { ")": "(", "]": "[" }
/** Longer URLs stay text: parsing a host name can take quadratic time. Browsers have similar limits. */
export const MAX_URL_LENGTH = 2_000
const MAX_LARGE_EMOJI = 6
/** UTF-16 code units of the longest emoji: a family with skin tones, and some reserve. */
const MAX_EMOJI_LENGTH = 40
const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator})/u

export function linkify(text: string): readonly TextPart[] {
  const parts: TextPart[] = []
  let from = 0
  for (let start = nextBeginning(text, 0); start !== undefined;) {
    const { limit, link } = linkAt(text, start, from)
    if (link) {
      if (link.start > from) parts.push({ kind: "words", text: text.slice(from, link.start) })
      parts.push({ kind: "link", text: text.slice(link.start, link.end), href: link.href })
      from = link.end
    }
    start = nextBeginning(text, limit)
  }
  if (from < text.length) parts.push({ kind: "words", text: text.slice(from) })
  return parts
}

/** Whether a message consists of a few emoji only, which are shown large. */
export function onlyEmoji(text: string): boolean {
  if (!EMOJI.test(text.trimStart())) return false
  const compact = text.replace(/\s/gu, "")
  if (compact.length > MAX_LARGE_EMOJI * MAX_EMOJI_LENGTH) return false
  const found = graphemes(compact)
  return found.length <= MAX_LARGE_EMOJI && found.every((grapheme) => EMOJI.test(grapheme))
}

/** Returns the link that the characters at a position belong to, and up to where the text has been examined. */
function linkAt(text: string, start: number, from: number): { limit: number; link: TextLink | undefined } {
  const character = text.charAt(start)
  if (character === "@") {
    const link = emailAddressAt(text, start, from)
    return { limit: link?.end ?? start + 1, link }
  }
  if (character === "+" || character === "0") return phoneNumberAt(text, start, from)
  const limit = endOfUrl(text, start)
  const address = text.slice(start, withoutPunctuation(text, start, limit))
  const href = webAddress(address)
  return { limit, link: href === undefined ? undefined : { start, end: start + address.length, href } }
}

/** Where the next link may begin, from a position on. */
function nextBeginning(text: string, from: number): number | undefined {
  BEGINNING.lastIndex = from
  for (let match = BEGINNING.exec(text); match; match = BEGINNING.exec(text)) {
    if (match[0].length === 1) return match.index
    const inside = NO_SCHEME.test(match[0]) ? WORD_OR_ADDRESS : WORD
    if (!inside.test(text.charAt(match.index - 1))) return match.index
  }
  return undefined
}

/** Where a URL ends at the latest: before a bracket that is not opened in it, as in `(https://a.example)`. */
function endOfUrl(text: string, start: number): number {
  const opened: string[] = []
  let end = start
  for (; end < text.length; end += 1) {
    const character = text.charAt(end)
    const opening = CLOSING[character]
    if (OUTSIDE.test(character) || (opening !== undefined && opened.pop() !== opening)) break
    if (character === "(" || character === "[") opened.push(character)
  }
  return end
}

/** Where a URL ends without the punctuation that follows it. A quote belongs to the URL if the URL opens it. */
function withoutPunctuation(text: string, start: number, limit: number): number {
  let quotes = 0
  for (let index = start; index < limit; index += 1) if (text.charAt(index) === "'") quotes += 1
  let end = limit
  for (; end > start; end -= 1) {
    const last = text.charAt(end - 1)
    const unbalanced = last === "'" && quotes % 2 === 1
    if (!PUNCTUATION.test(last) && !unbalanced) break
    if (unbalanced) quotes -= 1
  }
  return end
}

function webAddress(text: string): string | undefined {
  if (text.length > MAX_URL_LENGTH) return undefined
  const hasScheme = !NO_SCHEME.test(text)
  const url = parsed(hasScheme ? text : `https://${text}`)
  // `https://bank.example@evil.example` opens evil.example.
  if (url?.username !== "" || url.password !== "") return undefined
  const labels = url.hostname.split(".").filter((label) => label !== "")
  return hasScheme || labels.length > 2 ? url.href : undefined
}

/** `URL.canParse` would say the same, in browsers since 2023. */
function parsed(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}
