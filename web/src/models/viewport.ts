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

export interface Pane {
  /** The place of the last message that is drawn; infinite to follow the end. */
  readonly until: number
}

export const SIZE = 120
const STEP = 40

export const AT_END: Pane = { until: Infinity }

export function followsEnd(pane: Pane): boolean {
  return pane.until === Infinity
}

/** The place before the first message that is drawn. */
export function startOf(pane: Pane, timeline: Timeline): number {
  return Math.max(timeline.before, Math.min(pane.until, timeline.last) - SIZE)
}

export function drawn(pane: Pane, timeline: Timeline): readonly Message[] {
  const start = startOf(pane, timeline)
  return timeline.messages.slice(start - timeline.before, start - timeline.before + SIZE)
}

export function atTop(pane: Pane, timeline: Timeline): boolean {
  return startOf(pane, timeline) === timeline.before
}

export function earlier(pane: Pane, timeline: Timeline): Pane {
  return until(Math.min(pane.until, timeline.last) - STEP, timeline)
}

export function later(pane: Pane, timeline: Timeline): Pane {
  return until(pane.until + STEP, timeline)
}

/** The same messages, also when more comes behind them: what was drawn at the end of the past is not the end. */
export function held(pane: Pane, timeline: Timeline): Pane {
  return followsEnd(pane) ? { until: timeline.last } : pane
}

/** Nothing later is here: time to fetch. */
export function atBottom(pane: Pane, timeline: Timeline): boolean {
  return pane.until >= timeline.last
}

/** A message with some of its surroundings. */
export function around(seq: number, timeline: Timeline): Pane {
  return until(seq + SIZE / 2, timeline)
}

function until(place: number, timeline: Timeline): Pane {
  const end = Math.max(place, timeline.before + SIZE)
  return end >= timeline.last ? AT_END : { until: end }
}
