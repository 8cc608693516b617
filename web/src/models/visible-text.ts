/** Compares and checks typed text by what is visible of it. */

// Spaces, controls, format characters, and letters that are drawn as nothing. The server refuses the same texts.
const visible = /[^\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u

/** Whether a text contains a visible character. */
export function hasVisibleText(text: string): boolean {
  return visible.test(text)
}

/** Whether two emoji are the same; some keyboards append a presentation selector (UTS #51). */
export function isSameEmoji(one: string | undefined, other: string | undefined): boolean {
  return emojiForm(one) === emojiForm(other)
}

/** The form in which emoji are compared: without presentation selectors. */
export function emojiForm(emoji: string | undefined): string | undefined {
  return emoji?.replace(/[\uFE0E\uFE0F]/gu, "")
}
