/**
 * The part of a timeline that is rendered: a bounded number of messages, however long the conversation is.
 *
 *     let pane = AT_END                     // follows the newest messages
 *     pane = earlier(pane, timeline)        // one step back
 *     drawn(pane, timeline)                 // the messages to render
 *     atTop(pane, timeline)                 // no earlier messages here: time to fetch
 */
import type { Message } from "../api/types"
import type { Timeline } from "./messages/timeline"

export interface Viewport {
  /** The `seq` of the last rendered message; infinite to follow the end. */
  readonly until: number
}

export const VIEWPORT_SIZE = 120
const STEP = 40
/** The share of the drawn messages that one step replaces. */
export const STEP_SHARE = STEP / VIEWPORT_SIZE

export const AT_END: Viewport = { until: Infinity }

export function followsEnd(viewport: Viewport): boolean {
  return viewport.until === Infinity
}

/** The `seq` before the first rendered message. */
export function startOf(viewport: Viewport, timeline: Timeline): number {
  return Math.max(timeline.before, Math.min(viewport.until, timeline.last) - VIEWPORT_SIZE)
}

export function visibleMessages(viewport: Viewport, timeline: Timeline): readonly Message[] {
  const start = startOf(viewport, timeline)
  return timeline.messages.slice(start - timeline.before, start - timeline.before + VIEWPORT_SIZE)
}

export function atTop(viewport: Viewport, timeline: Timeline): boolean {
  return startOf(viewport, timeline) === timeline.before
}

export function earlier(viewport: Viewport, timeline: Timeline): Viewport {
  return until(Math.min(viewport.until, timeline.last) - STEP, timeline)
}

export function later(viewport: Viewport, timeline: Timeline): Viewport {
  return until(viewport.until + STEP, timeline)
}

/** Keeps the same messages when more arrive after them: the end of a history range is not the end. */
export function anchored(viewport: Viewport, timeline: Timeline): Viewport {
  return followsEnd(viewport) ? { until: timeline.last } : viewport
}

/** No later messages here: time to fetch. */
export function atBottom(viewport: Viewport, timeline: Timeline): boolean {
  return viewport.until >= timeline.last
}

/** Centres the viewport on a message. */
export function around(seq: number, timeline: Timeline): Viewport {
  return until(seq + VIEWPORT_SIZE / 2, timeline)
}

function until(place: number, timeline: Timeline): Viewport {
  const end = Math.max(place, timeline.before + VIEWPORT_SIZE)
  return end >= timeline.last ? AT_END : { until: end }
}
