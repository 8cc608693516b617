/** Gestures on the microphone button while a finger holds it: release to send, slide up to lock, slide aside to cancel. */

/** How far the finger slides to cancel, towards the start of the line, and to lock, upwards. */
export const CANCEL_PX = 96
const LOCK_PX = 64
/** The click that a browser adds to a press arrives within this time. */
const CLICK_MS = 400

export interface HeldButton {
  readonly press: { readonly x: number; readonly y: number }
  readonly isRightToLeft: boolean
  /** @param pixels how far it is towards canceling */
  readonly slid: (pixels: number) => void
  readonly cancel: () => void
  readonly lock: () => void
  readonly release: () => void
}

/** Follows the finger until it is lifted, locked or has canceled. Returns how to stop before. */
export function followFinger({ press, isRightToLeft, ...held }: HeldButton): () => void {
  const controller = new AbortController()
  const { signal } = controller

  function end(run: () => void) {
    controller.abort()
    run()
  }

  function moved({ clientX, clientY }: PointerEvent) {
    const distance = isRightToLeft ? clientX - press.x : press.x - clientX
    held.slid(Math.max(0, distance))
    if (distance >= CANCEL_PX) {
      addEventListener("pointerup", ignoreClick, { once: true })
      end(held.cancel)
    } else if (press.y - clientY >= LOCK_PX) end(held.lock)
  }

  addEventListener("pointermove", moved, { signal })
  addEventListener("pointercancel", () => end(held.lock), { signal })
  addEventListener(
    "pointerup",
    () => {
      ignoreClick()
      end(held.release)
    },
    { signal },
  )
  // A long press would open the menu of the browser.
  addEventListener("contextmenu", (event) => event.preventDefault(), { signal })
  return () => controller.abort()
}

/** The button would start the next recording. */
function ignoreClick(): void {
  const controller = new AbortController()
  addEventListener(
    "click",
    (event) => {
      event.preventDefault()
      event.stopPropagation()
    },
    { capture: true, once: true, signal: controller.signal },
  )
  setTimeout(() => controller.abort(), CLICK_MS)
}
