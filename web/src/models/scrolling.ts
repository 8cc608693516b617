/**
 * The scroll position of a timeline, as a state machine without a DOM.
 *
 * Messages are inserted above and below what the user reads, pictures change their height, and the viewport slides over
 * the timeline. A browser keeps `scrollTop`, not the content: without a correction, each of these would move the text
 * under the reader's eyes. The state therefore names a `goal` that must stay in sight (the end, the unread line, the
 * message that the user jumped to). Without a goal, the view anchors a visible message. It measures the distance between
 * the message and the beginning of the content, which scrolling does not change: a difference between two measurements
 * is a change of the content above, and is added to `scrollTop`.
 *
 * The view measures and applies; every decision is made here:
 *
 *     state = opened(INITIAL, timeline)                 // something can be shown
 *     state = received(state, timeline, ...)            // the timeline changed
 *
 *     // After each scroll event, and after each change of the content's size:
 *     if (isScrolledByUser(state, ...)) state = scrolledByUser(state, ...)
 *     scrollTop = correctedScrollTop(state.goal, ...)
 *     state = settled(state, ...)
 *     ({ state, load } = extended(state, ...))          // near an edge, draw or fetch more messages
 *
 * All lengths are CSS pixels. `above` and `below` are the lengths that are scrolled out of sight on each side.
 */
import { missingAfter, type Timeline } from "./messages/timeline"
import {
  anchored,
  around,
  AT_END,
  atBottom,
  atTop,
  earlier,
  followsEnd,
  later,
  STEP_SHARE,
  type Viewport,
} from "./viewport"

/** This close to the end counts as being there. */
export const END_PX = 120
/** Draw or fetch more messages when fewer pixels than this are left in one direction. */
export const REACH_PX = 900
/** Browsers round `scrollTop` to physical pixels. */
const ROUNDING_PX = 1
/** The distance between the top edge and the unread line: the day is above it, and an earlier message begins there. */
export const UNREAD_LINE_PX = 64
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
  /** `scrollTop` after the last correction. A different value means that the user has scrolled since. */
  readonly scrollTop: number
  /** Whether there was something to show yet. */
  readonly opened: boolean
  /** The `seq` of the last message that was handled, or that the user wanted to go to. */
  readonly lastSeq: number
}

export const INITIAL: ScrollState = {
  viewport: AT_END,
  goal: "end",
  firstUnread: undefined,
  unreadSeen: false,
  atEnd: true,
  scrollTop: 0,
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
  const before = Math.min(state.lastSeq, timeline.head) // A restored server may have fewer messages.
  const now = { ...state, lastSeq: Math.max(before, timeline.last) }
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

/** Show the end, also while the messages up to `head` are still being fetched: those are not news then. */
export function showEnd(state: ScrollState, head: number): ScrollState {
  return { ...state, goal: "end", viewport: AT_END, lastSeq: Math.max(state.lastSeq, head) }
}

/** What the view measures after each scroll event. */
export interface Measured {
  readonly above: number
  readonly below: number
  /** The height of the visible part. */
  readonly height: number
}

/** The lengths above, below and in sight. */
export function lengths(scrollTop: number, scrollHeight: number, clientHeight: number): Measured {
  return { above: scrollTop, below: scrollHeight - scrollTop - clientHeight, height: clientHeight }
}

/** Whether the user has scrolled since the last correction. Content that changes its size leaves `scrollTop` as it is. */
export function isScrolledByUser(state: ScrollState, scrollTop: number): boolean {
  return Math.abs(scrollTop - state.scrollTop) >= ROUNDING_PX
}

/**
 * The user scrolled, which gives up the goal. Two goals survive: the end as long as the user is near it or scrolls down,
 * and the unread line at the end of a tab without attention.
 */
export function scrolledByUser(
  state: ScrollState,
  { above, below }: Measured,
  attentive: boolean,
  past: Timeline | undefined,
): ScrollState {
  const nearEnd = showsEnd(state, past) && below < END_PX
  const keepsEnd = state.goal === "end" && (nearEnd || above > state.scrollTop)
  const keepsLine = state.goal === "unread" && nearEnd && !attentive
  return { ...state, goal: keepsEnd || keepsLine ? state.goal : undefined }
}

/**
 * The goal, or else the anchored message, is in its place.
 *
 * Reaching the end makes it the goal. The unread line stays the goal at the end, too, until the user looks: the line must
 * not scroll out of sight in a background tab.
 */
export function settled(
  state: ScrollState,
  { above, below }: Measured,
  attentive: boolean,
  past: Timeline | undefined,
): ScrollState {
  const atEnd = showsEnd(state, past) && (state.goal === "end" || below < END_PX)
  const now = { ...state, atEnd, scrollTop: above }
  if (!atEnd) return { ...now, goal: state.goal === "end" ? undefined : state.goal }
  const goal = attentive || state.goal !== "unread" ? "end" : state.goal
  return { ...now, goal, unreadSeen: state.unreadSeen || attentive }
}

export interface Extended {
  readonly state: ScrollState
  /** In which directions messages must be fetched, because the viewport has come to the edge of the timeline. */
  readonly load: readonly ("older" | "newer")[]
}

/**
 * Slide the viewport, or ask for messages, before the user comes to the edge of the drawn part.
 *
 * At the end the viewport does not slide upwards: in a window that is higher than `VIEWPORT_SIZE` messages, it would
 * slide up and, because it then does not follow the end, down again, forever.
 */
export function extended(
  state: ScrollState,
  measured: Measured,
  timeline: Timeline,
  past: Timeline | undefined,
): Extended {
  const { above, below } = measured
  const reach = reachOf(measured)
  const load: ("older" | "newer")[] = []
  if (atTop(state.viewport, timeline)) {
    if (above < REACH_PX) load.push("older")
  } else if (above < reach && state.goal !== "end") {
    return { state: slid(state, earlier(state.viewport, timeline), past), load }
  }
  if (followsEnd(state.viewport)) return { state, load }
  if (past && atBottom(state.viewport, timeline)) {
    return { state, load: below < REACH_PX ? [...load, "newer"] : load }
  }
  return below < reach ? { state: slid(state, later(state.viewport, timeline), past), load } : { state, load }
}

/**
 * How close to an edge the viewport slides: `REACH_PX`, or less in a high window. There, sliding by a `STEP_SHARE` of the
 * content could bring the opposite edge as close, and the viewport would slide to and fro forever.
 */
function reachOf({ above, below, height }: Measured): number {
  const hidden = above + below
  return Math.min(REACH_PX, (hidden - (hidden + height) * STEP_SHARE) / 2)
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
  // A needless assignment would stop the momentum of a scroll gesture in Safari.
  return drift === undefined || Math.abs(drift) < ROUNDING_PX ? undefined : scrollTop + drift
}

/** The distance between an element and the beginning of the content. It does not depend on the scroll position. */
export function contentOffset(elementTop: number, scrollerTop: number, scrollTop: number): number {
  return elementTop - scrollerTop + scrollTop
}

/**
 * The message to anchor: the first one that begins in sight, or else the one that fills the region. A message that is cut
 * off at the top edge may grow in its hidden part, and must not push down the messages that are completely visible.
 *
 * @param elements in their order on the page, each below the one before: it measures few of them
 * @param frame the edges of the scrolling region
 */
export function anchorOf<Element>(
  elements: ArrayLike<Element>,
  measure: (element: Element) => Edges,
  frame: Edges,
): { readonly element: Element; readonly top: number } | undefined {
  const at = (index: number) => {
    const element = elements[index]
    return element === undefined ? undefined : { element, edges: measure(element) }
  }
  let [low, high] = [0, elements.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((at(middle)?.edges.top ?? Infinity) < frame.top) low = middle + 1
    else high = middle
  }
  const [first, cutOff] = [at(low), at(low - 1)]
  if (first && first.edges.top < frame.bottom) return { element: first.element, top: first.edges.top }
  return cutOff && cutOff.edges.bottom > frame.top ? { element: cutOff.element, top: cutOff.edges.top } : undefined
}

interface Edges {
  readonly top: number
  readonly bottom: number
}

/** Whether the viewport ends where the conversation ends. */
function showsEnd(state: ScrollState, past: Timeline | undefined): boolean {
  return followsEnd(state.viewport) && past === undefined
}

function slid(state: ScrollState, viewport: Viewport, past: Timeline | undefined): ScrollState {
  return { ...state, goal: state.goal === "unread" ? undefined : state.goal, viewport: held(viewport, past) }
}

/** The end of a segment of the past is not the end of the conversation: messages that follow must not move the viewport. */
function held(viewport: Viewport, past: Timeline | undefined): Viewport {
  return past ? anchored(viewport, past) : viewport
}
