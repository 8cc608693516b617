/** How a finger moves on a message: it swipes to reply, or it scrolls. Lengths are in CSS pixels. */

/** A finger that moves this far neither holds nor taps. */
export const SLOP = 10
/** After this distance it is decided whether a finger swipes or scrolls. */
const DECIDED_AFTER = 12
/** The system's back gesture begins this close to the edges of the screen. */
const EDGE = 24
const TRIGGER = 64
const LIMIT = 96

export interface Movement {
  /** Towards the end of a line: to the right, or to the left in a script that is written from right to left. */
  readonly forward: number
  readonly down: number
}

/** Whether a finger swipes or scrolls; undefined while it has not moved far enough. */
export function intent({ forward, down }: Movement, startX: number, width: number): "swipe" | "scroll" | undefined {
  if (Math.hypot(forward, down) < DECIDED_AFTER) return undefined
  const fromEdge = startX < EDGE || startX > width - EDGE
  return forward > 2 * Math.abs(down) && !fromEdge ? "swipe" : "scroll"
}

/** How far the message follows the finger. */
export function swipeOffset({ forward }: Movement): number {
  return Math.min(Math.max(forward, 0), LIMIT)
}

/** Whether the message is replied to when the finger leaves it here. */
export function swipeReplies(movement: Movement): boolean {
  return movement.forward >= TRIGGER
}
