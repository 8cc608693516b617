/**
 * The scroll position of a timeline, as a state machine without a DOM.
 *
 * Messages are inserted above and below what the user reads, pictures change their height, and the viewport slides over
 * the timeline. A browser keeps `scrollTop`, not the content: without a correction, each of these would move the text
 * under the reader's eyes. The state therefore names a `goal` that must stay in sight (the end, the unread line, the
 * message that the user jumped to). Without a goal, the view anchors the first visible message: it measures the message
 * before the DOM changes, and adds the difference to `scrollTop` afterwards.
 *
 * The view measures and applies; every decision is made here:
 *
 *     state = opened(INITIAL, timeline)                 // something can be shown
 *     state = received(state, timeline, ...)            // the timeline changed
 *     scrollTop = correctedScrollTop(state.goal, ...)   // after the DOM changed
 *     state = scrolled(state, ...)                      // after each scroll event and each correction
 *     ({ state, load } = extended(state, ...))          // near an edge, draw or fetch more messages
 *
 * All lengths are CSS pixels. `above` and `below` are the lengths that are scrolled out of sight on each side.
 */
import { missingAfter, type Timeline } from "./timeline"
import { anchored, around, AT_END, atBottom, atTop, earlier, followsEnd, later, type Viewport } from "./viewport"

/** This close to the end counts as being there. It is also how far a goal may drift before it is given up. */
export const END_PX = 120
/** Draw or fetch more messages when fewer pixels than this are left in one direction. */
export const REACH_PX = 900
/** The distance between the top edge and the unread line. */
export const UNREAD_LINE_PX = 12
/** A user who missed more messages than this starts to read at the first of them. */
export const MANY_MISSED = 20

/** What stays in sight whatever changes. */
export type Goal = "end" | "unread" | "target"

export interface ScrollState {
  readonly viewport: Viewport
  /** Undefined while the user reads elsewhere. */
  readonly goal: Goal | undefined
  /** The `seq` of the message below the unread line. */
  readonly firstUnread: number | undefined
  /** Whether the user has reached the end since the line was drawn. The next unread message then gets a new line. */
  readonly unreadSeen: boolean
  readonly atEnd: boolean
  /** Whether there was something to show yet. */
  readonly opened: boolean
  /** The `seq` of the last message that was handled. */
  readonly lastSeq: number
}

export const INITIAL: ScrollState = {
  viewport: AT_END,
  goal: "end",
  firstUnread: undefined,
  unreadSeen: false,
  atEnd: true,
  opened: false,
  lastSeq: 0,
}

/** Whether a conversation can be shown: it has messages, and the first unread one is not still being fetched. */
export function canOpen(timeline: Timeline, firstUnread: number): boolean {
  const fetching = missingAfter(timeline) !== undefined && timeline.last < firstUnread
  return timeline.messages.length > 0 && !fetching
}

export function opened(state: ScrollState, timeline: Timeline): ScrollState {
  return { ...state, opened: true, lastSeq: timeline.last }
}

/** What the state depends on besides the timeline. */
export interface Reader {
  readonly me: string
  /** Whether the window is visible and has the focus. */
  readonly attentive: boolean
}

/**
 * The newest part of the timeline changed. A user at its end stays there; one who was away, or who missed many messages,
 * starts at the first message that is new. A user who reads a segment of the past is not moved.
 *
 * @param past the segment that is shown instead of the newest part, if the user jumped back in the history
 */
export function received(
  state: ScrollState,
  timeline: Timeline,
  reader: Reader,
  past: Timeline | undefined,
): ScrollState {
  const before = state.lastSeq
  const now = { ...state, lastSeq: timeline.last }
  if (past) return now
  const away = !reader.attentive || timeline.head - before > MANY_MISSED
  const follows = now.goal === "end" || now.goal === "unread"
  if (timeline.last > before && follows && away) return showUnread(now, timeline, before + 1, reader.me, undefined)
  if (now.goal !== "unread" || now.firstUnread === undefined) return now
  return { ...now, viewport: around(now.firstUnread, timeline) }
}

/**
 * Draw the unread line above the first message of someone else from `from` on, and keep the line in sight. A line that
 * the user has not read to the end of stays where it is.
 *
 * @param past the separate segment that `timeline` is, if the user jumped back in the history
 */
export function showUnread(
  state: ScrollState,
  timeline: Timeline,
  from: number,
  me: string,
  past: Timeline | undefined,
): ScrollState {
  const keepsLine = state.firstUnread !== undefined && !state.unreadSeen
  const firstUnread = keepsLine
    ? state.firstUnread
    : timeline.messages.find((message) => message.seq >= from && message.user_id !== me)?.seq
  if (firstUnread === undefined) return state
  const viewport = held(around(firstUnread, timeline), past)
  return { ...state, firstUnread, unreadSeen: false, goal: "unread", viewport }
}

/** Show the message at `seq`, which the user jumped to. */
export function showTarget(
  state: ScrollState,
  timeline: Timeline,
  seq: number,
  past: Timeline | undefined,
): ScrollState {
  return { ...state, goal: "target", viewport: held(around(seq, timeline), past) }
}

/** The message that the user jumped to is no longer highlighted, and need not stay in its place. */
export function releaseTarget(state: ScrollState): ScrollState {
  return state.goal === "target" ? { ...state, goal: undefined } : state
}

export function showEnd(state: ScrollState): ScrollState {
  return { ...state, goal: "end", viewport: AT_END }
}

/** What the view measures after each scroll event. */
export interface Measured {
  readonly above: number
  readonly below: number
  /** How far the goal is from its place, see `goalOffset`; undefined without a goal that has a place. */
  readonly offset: number | undefined
}

/** The lengths above and below what is in sight. */
export function lengths(scrollTop: number, scrollHeight: number, clientHeight: number): Omit<Measured, "offset"> {
  return { above: scrollTop, below: scrollHeight - scrollTop - clientHeight }
}

/**
 * The user, or a correction, scrolled.
 *
 * Reaching the end makes it the goal. The unread line stays the goal at the end, too, until the user looks: the line must
 * not scroll out of sight in a background tab. Away from the end, the goal is given up as soon as it has moved further
 * than `END_PX`, because only the user can have moved it that far.
 */
export function scrolled(
  state: ScrollState,
  { below, offset }: Measured,
  attentive: boolean,
  past: Timeline | undefined,
): ScrollState {
  const atEnd = followsEnd(state.viewport) && past === undefined && below < END_PX
  if (!atEnd) {
    const lost = state.goal === "end" || Math.abs(offset ?? 0) > END_PX
    return { ...state, atEnd, goal: lost ? undefined : state.goal }
  }
  const goal = attentive || state.goal !== "unread" ? "end" : state.goal
  return { ...state, atEnd, goal, unreadSeen: state.unreadSeen || attentive }
}

export interface Extended {
  readonly state: ScrollState
  /** In which directions messages must be fetched, because the viewport has come to the edge of the timeline. */
  readonly load: readonly ("older" | "newer")[]
}

/**
 * Slide the viewport, or ask for messages, before the user comes to the edge of what is drawn.
 *
 * At the end the viewport does not slide upwards: in a window that is higher than `VIEWPORT_SIZE` messages, it would
 * slide up and, because it then does not follow the end, down again, forever.
 */
export function extended(
  state: ScrollState,
  { above, below }: Omit<Measured, "offset">,
  timeline: Timeline,
  past: Timeline | undefined,
): Extended {
  const load: ("older" | "newer")[] = []
  if (above < REACH_PX) {
    if (atTop(state.viewport, timeline)) load.push("older")
    else if (state.goal !== "end") return { state: slid(state, earlier(state.viewport, timeline), past), load }
  }
  if (below >= REACH_PX || followsEnd(state.viewport)) return { state, load }
  if (past && atBottom(state.viewport, timeline)) return { state, load: [...load, "newer"] }
  return { state: slid(state, later(state.viewport, timeline), past), load }
}

/**
 * How far the goal's element is below its place: the unread line belongs near the top edge, a message that the user
 * jumped to a third of the height below it.
 */
export function goalOffset(goal: Goal, elementTop: number, scrollerTop: number, clientHeight: number): number {
  const place = goal === "target" ? clientHeight / 3 : UNREAD_LINE_PX
  return elementTop - scrollerTop - place
}

/**
 * The `scrollTop` that puts the goal, or else the anchored message, back into its place; undefined if nothing has to move.
 *
 * @param offset see `goalOffset`
 * @param drift how far the anchored message has moved down since it was measured
 */
export function correctedScrollTop(
  goal: Goal | undefined,
  scrollTop: number,
  scrollHeight: number,
  offset: number | undefined,
  drift: number | undefined,
): number | undefined {
  if (goal === "end") return scrollHeight // The browser stops at the largest possible value.
  if (goal !== undefined) return scrollTop + (offset ?? 0)
  return drift === undefined ? undefined : scrollTop + drift
}

/** The first element whose lower edge is below `top`, with its upper edge. Measures no more elements than it must. */
export function firstVisible<Element>(
  elements: Iterable<Element>,
  measure: (element: Element) => { readonly top: number; readonly bottom: number },
  top: number,
): { readonly element: Element; readonly top: number } | undefined {
  for (const element of elements) {
    const box = measure(element)
    if (box.bottom > top) return { element, top: box.top }
  }
  return undefined
}

function slid(state: ScrollState, viewport: Viewport, past: Timeline | undefined): ScrollState {
  return { ...state, goal: state.goal === "unread" ? undefined : state.goal, viewport: held(viewport, past) }
}

/** The end of a segment of the past is not the end of the conversation: messages that follow must not move the viewport. */
function held(viewport: Viewport, past: Timeline | undefined): Viewport {
  return past ? anchored(viewport, past) : viewport
}
