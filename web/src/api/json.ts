/** JSON that the server accepts: its parser is strict, and closes a connection that sends anything else. */

/** Returns a text without what JSON parsers and databases reject: half a surrogate pair becomes U+FFFD, U+0000 is removed. */
export function wellFormed(text: string): string {
  // `toWellFormed` is missing in Safari 16 and Firefox 115. With the flag `u`, a whole pair is one character and no match.
  return text.replace(/\p{Surrogate}/gu, "\uFFFD").replaceAll("\0", "")
}

/** Serializes a value with every text well-formed. Everything that leaves the page passes through here. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "string" ? wellFormed(each) : each))
}
