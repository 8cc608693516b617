/**
 * Which part of a timeline is drawn: a bounded number of messages, however long the conversation is.
 *
 *     let pane = AT_END                     // the newest messages, also those that come
 *     pane = earlier(pane, timeline)        // one step back
 *     drawn(pane, timeline)                 // the messages to draw
 *     atTop(pane, timeline)                 // nothing earlier is here: time to fetch
 */
import type { Message } from "../api/types"
import type { Timeline } from "./timeline"

export interface Viewport {
  /** The place of the last message that is drawn; infinite to follow the end. */
  readonly until: number
}

export const VIEWPORT_SIZE = 120
const STEP = 40

export const AT_END: Viewport = { until: Infinity }

export function followsEnd(viewport: Viewport): boolean {
  return viewport.until === Infinity
}

/** The place before the first message that is drawn. */
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

/** The same messages, also when more comes behind them: what was drawn at the end of the past is not the end. */
export function anchored(viewport: Viewport, timeline: Timeline): Viewport {
  return followsEnd(viewport) ? { until: timeline.last } : viewport
}

/** Nothing later is here: time to fetch. */
export function atBottom(viewport: Viewport, timeline: Timeline): boolean {
  return viewport.until >= timeline.last
}

/** A message with some of its surroundings. */
export function around(seq: number, timeline: Timeline): Viewport {
  return until(seq + VIEWPORT_SIZE / 2, timeline)
}

function until(place: number, timeline: Timeline): Viewport {
  const end = Math.max(place, timeline.before + VIEWPORT_SIZE)
  return end >= timeline.last ? AT_END : { until: end }
}
