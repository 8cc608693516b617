/** Finds email addresses and phone numbers in a text. Each character is examined a fixed number of times. */

/** A link in a text, from `start` to before `end`. */
export interface TextLink {
  readonly start: number
  readonly end: number
  readonly href: string
}

const LOCAL_PART = /[\w.%+-]/u
/** What an email address cannot follow: it would be a part of a URL. */
const BEFORE_EMAIL = /[/@]/u
const HOST = /[a-z0-9.-]/iu
/** At least two labels, the last of which is a top-level domain. */
const HOST_NAME = /^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,7}\.[a-z]{2,24}$/iu
/** What follows an address directly if it is another kind of word. */
const MORE = /[\w@]/u
const MAX_LOCAL_PART = 64

const DIGIT = /\d/u
/** Between the digits of a phone number; no line breaks. */
const SEPARATOR = /[ \u00A0\-./()]/u
/** What a phone number cannot follow directly: it would be a part of another number, of a URL or of an address. */
const BEFORE_PHONE = /[\w.,/:@=#&%+-]/u
const AFTER_PHONE = /[\w@%]/u
const MIN_DIGITS = 7
/** ITU-T E.164. */
const MAX_DIGITS = 15
/** Dates, times from and until, and decimal numbers, which can also begin with a zero. */
const OTHER_NUMBER =
  /^(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{2}|\d{4})|\d{1,2}\.\d{2} ?- ?\d{1,2}\.\d{2}|\d{4} ?- ?\d{4}|0\.\d+)$/u
/** A single digit after a phone number, or the hour of a time, is not a part of it. */
const NEXT_DIGIT = /[ \u00A0]\d$/u
const NEXT_HOUR = /[ \u00A0]\d{1,2}$/u
/** The national prefix, which is not dialled after a country code: +49 (0)30. */
const NATIONAL_PREFIX = /\(0\)/gu

/**
 * Returns the email address around an `@`.
 *
 * @param from where it can begin at the earliest
 */
export function emailAddressAt(text: string, at: number, from: number): TextLink | undefined {
  let start = at
  while (start > from && at - start <= MAX_LOCAL_PART && LOCAL_PART.test(text.charAt(start - 1))) start -= 1
  if (at - start > MAX_LOCAL_PART || BEFORE_EMAIL.test(text.charAt(start - 1))) return undefined
  while (start < at && /[.%-]/u.test(text.charAt(start))) start += 1
  let limit = at + 1
  while (HOST.test(text.charAt(limit))) limit += 1
  let end = limit
  while (end > at && /[.-]/u.test(text.charAt(end - 1))) end -= 1
  const isAddress = start < at && text.charAt(at - 1) !== "." && HOST_NAME.test(text.slice(at + 1, end))
  if (!isAddress || MORE.test(text.charAt(limit))) return undefined
  const local = text.slice(start, at)
  return { start, end, href: `mailto:${local.replaceAll("%", "%25")}${text.slice(at, end)}` }
}

/**
 * Returns the phone number that begins with the `+` or `0` at a position, and up to where the text has been examined.
 *
 * @param from where it can begin at the earliest, with a bracket before the position
 */
export function phoneNumberAt(
  text: string,
  at: number,
  from: number,
): { readonly limit: number; readonly link: TextLink | undefined } {
  const bracket = at > from && text.charAt(at - 1) === "("
  const { limit, end: lastDigit, open } = digitsFrom(text, at, bracket ? 1 : 0)
  const number = text
    .slice(at, lastDigit)
    .replace(text.charAt(lastDigit) === ":" ? NEXT_HOUR : NEXT_DIGIT, "")
    .trimEnd()
  const end = at + number.length
  const digits = number.replaceAll(/\D/gu, "").length
  const start = bracket && number.includes(")") ? at - 1 : at
  const isNumber =
    digits >= MIN_DIGITS &&
    digits <= MAX_DIGITS &&
    (!open || bracket) &&
    !BEFORE_PHONE.test(text.charAt(start - 1)) &&
    !AFTER_PHONE.test(text.charAt(end)) &&
    !OTHER_NUMBER.test(number)
  if (!isNumber) return { limit, link: undefined }
  const dialled = number.startsWith("+") ? number.replaceAll(NATIONAL_PREFIX, "") : number
  return { limit: end, link: { start, end, href: `tel:${dialled.replaceAll(/[^\d+]/gu, "")}` } }
}

/** Reads digits with single separators, one more digit than a number can have at most. */
function digitsFrom(text: string, at: number, brackets: number) {
  let [limit, end, digits, opened] = [at, at, 0, brackets]
  if (text.charAt(limit) === "+") limit += 1
  for (let separators = 0; digits <= MAX_DIGITS && separators <= 2; limit += 1) {
    const character = text.charAt(limit)
    if (DIGIT.test(character)) {
      digits += 1
      separators = 0
      end = limit + 1
    } else if (SEPARATOR.test(character)) {
      if (character === ")" && opened === 0) break
      if (character === "(") opened += 1
      if (character === ")") opened -= 1
      separators += 1
    } else break
  }
  return { limit: Math.max(limit, at + 1), end, digits, open: opened > 0 }
}
