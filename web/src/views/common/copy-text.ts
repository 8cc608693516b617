/**
 * Copies a text, also over plain HTTP, where browsers have no clipboard API. Returns whether that worked.
 *
 * @param within the open dialog, if any: nothing outside can have the selection
 */
export async function copyText(text: string, within: HTMLElement = document.body): Promise<boolean> {
  const { clipboard } = navigator as { clipboard?: Clipboard }
  if (!clipboard) return copySelected(text, within)
  return clipboard.writeText(text).then(
    () => true,
    () => copySelected(text, within),
  )
}

function copySelected(text: string, within: HTMLElement): boolean {
  const focused = document.activeElement
  const field = document.createElement("textarea")
  field.value = text
  field.readOnly = true // no keyboard opens
  field.style.cssText = "position:fixed;inset-block-start:0;opacity:0"
  within.append(field)
  field.select()
  // The only way over plain HTTP.
  const copied = document.execCommand("copy")
  field.remove()
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true })
  return copied
}
