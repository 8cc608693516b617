/** Keyboard shortcuts that act everywhere. */

const TEXT_FIELDS = "input, textarea, select, [contenteditable]"

/** Ctrl+K, or ⌘K on a Mac. */
export function opensSearch(event: KeyboardEvent): boolean {
  return hasControl(event) && !event.shiftKey && event.key === "k"
}

/**
 * Ctrl+/, or a question mark outside of text fields.
 *
 * @param questionMark whether the user has left the question mark on: speech input may type it (WCAG 2.1.4)
 */
export function opensShortcuts(event: KeyboardEvent, questionMark: boolean): boolean {
  if (event.isComposing) return false
  if (event.key === "/") return hasControl(event) // with Shift on some keyboards
  const isTyping = event.target instanceof Element && event.target.closest(TEXT_FIELDS) !== null
  return event.key === "?" && questionMark && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey
}

function hasControl({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return (ctrlKey || metaKey) && !altKey
}
