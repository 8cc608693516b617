import { describe, expect, test } from "vitest"

import { message, messages } from "./fixtures"
import {
  anchorOf,
  canOpen,
  contentOffset,
  correctedScrollTop,
  END_PX,
  extended,
  goalOffset,
  INITIAL,
  isScrolledByUser,
  lengths,
  MANY_MISSED,
  opened,
  REACH_PX,
  received,
  releaseTarget,
  scrolledByUser,
  settled,
  showEnd,
  showTarget,
  showUnread,
  UNREAD_LINE_PX,
  type ScrollState,
} from "./scrolling"
import { emptyTimeline, noteHead, receive } from "./messages/timeline"
import { around, AT_END, followsEnd, startOf, VIEWPORT_SIZE } from "./viewport"

const long = receive(emptyTimeline("e1", 0), messages(1, 1_000))
const more = receive(long, messages(1_001, 1_003))
const present = { me: "maja", attentive: true }
const absent = { me: "maja", attentive: false }
const start = opened(INITIAL, long)
const reading: ScrollState = { ...start, goal: undefined, atEnd: false, viewport: around(500, long) }
const far = { above: 5_000, below: 5_000, height: 600 }
const atEnd = { above: 10_000, below: 0, height: 600 }

describe("opening", () => {
  test("needs a message to show", () => {
    expect(canOpen(emptyTimeline("e1", 10), 1)).toBe(false)
    expect(canOpen(long, 1_001)).toBe(true)
  })

  test("waits while the first unread message is being fetched", () => {
    const behind = noteHead(long, 1_050)
    expect(canOpen(behind, 1_020)).toBe(false)
    expect(canOpen(behind, 900)).toBe(true)
  })

  test("starts at the end", () => {
    expect(start).toMatchObject({ opened: true, goal: "end", viewport: AT_END, lastSeq: 1_000 })
  })
})

describe("new messages", () => {
  test("a user who watches the end stays there", () => {
    expect(received(start, more, present, undefined)).toEqual({ ...start, lastSeq: 1_003 })
  })

  test("a user who is away finds a line above the first of them", () => {
    expect(received(start, more, absent, undefined)).toMatchObject({ goal: "unread", firstUnread: 1_001 })
  })

  test("many missed messages get a line even in a window with the focus", () => {
    const many = receive(long, messages(1_001, 1_001 + MANY_MISSED))
    expect(received(start, many, present, undefined)).toMatchObject({ goal: "unread", firstUnread: 1_001 })
  })

  test("a user who goes to the end during a long catch-up stays there, whichever page arrives next", () => {
    const page = receive(noteHead(long, 2_000), messages(1_001, 1_200))
    const caughtUp = received(start, page, present, undefined)
    expect(caughtUp.goal).toBe("unread")
    const ended = settled(showEnd(caughtUp, page.head), atEnd, true, undefined)
    const next = receive(page, messages(1_201, 1_400))
    expect(received(ended, next, present, undefined)).toMatchObject({ goal: "end", viewport: AT_END })
    const last = receive(next, messages(1_401, 2_000))
    const later = receive(last, messages(2_001, 2_001 + MANY_MISSED))
    const atLast = received(ended, last, present, undefined)
    expect(received(atLast, later, present, undefined)).toMatchObject({ goal: "unread", firstUnread: 2_001 })
  })

  test("own messages get no line", () => {
    const mine = receive(long, [message(1_001, { user_id: "maja" })])
    expect(received(start, mine, absent, undefined)).toMatchObject({ goal: "end", firstUnread: undefined })
  })

  test("someone who reads elsewhere is not moved", () => {
    expect(received(reading, more, absent, undefined)).toEqual({ ...reading, lastSeq: 1_003 })
  })

  test("someone who reads the past is not moved", () => {
    expect(received(start, more, absent, long)).toEqual({ ...start, lastSeq: 1_003 })
  })

  test("the line stays above the first of them until the user has seen the end", () => {
    const away = received(start, more, absent, undefined)
    const again = receive(more, messages(1_004, 1_004))
    expect(received(away, again, absent, undefined).firstUnread).toBe(1_001)
    const seen = settled(away, atEnd, true, undefined)
    expect(seen).toMatchObject({ goal: "end", unreadSeen: true })
    expect(received(seen, again, absent, undefined)).toMatchObject({ firstUnread: 1_004, unreadSeen: false })
  })

  test("the viewport follows the line while its conversation grows", () => {
    const away = received(start, more, absent, undefined)
    const grown = receive(more, messages(1_004, 1_300))
    expect(received({ ...away, lastSeq: 1_300 }, grown, present, undefined).viewport).toEqual(around(1_001, grown))
  })
})

describe("the goal", () => {
  const ended = settled(start, atEnd, true, undefined)

  test("is the end as soon as the user comes near it, and is given up on the way back", () => {
    const near = { ...far, below: END_PX - 1 }
    expect(settled({ ...start, goal: undefined, atEnd: false }, near, true, undefined)).toMatchObject({
      atEnd: true,
      goal: "end",
    })
    expect(scrolledByUser(ended, { ...far, below: END_PX - 1 }, true, undefined).goal).toBe("end")
    const gone = scrolledByUser(ended, { ...far, below: END_PX }, true, undefined)
    expect(settled(gone, { ...far, below: END_PX }, true, undefined)).toMatchObject({ atEnd: false, goal: undefined })
  })

  test("stays the end while the content grows, whether the user scrolls down or not at all", () => {
    const grown = { ...atEnd, below: 3_000 }
    expect(isScrolledByUser(ended, grown.above)).toBe(false)
    expect(settled(ended, grown, true, undefined)).toMatchObject({ atEnd: true, goal: "end" })
    expect(scrolledByUser(ended, { ...grown, above: grown.above + 5 }, true, undefined).goal).toBe("end")
  })

  test("is not the end of a segment of the past, nor of a viewport that does not follow the end", () => {
    expect(settled(start, atEnd, true, long)).toMatchObject({ atEnd: false, goal: undefined })
    expect(settled(reading, atEnd, true, undefined).atEnd).toBe(false)
  })

  test("stays the unread line at the end until the user looks", () => {
    const line = showUnread(start, more, 1_001, "maja", undefined)
    const hidden = settled(scrolledByUser(line, atEnd, false, undefined), atEnd, false, undefined)
    expect(hidden).toMatchObject({ atEnd: true, goal: "unread", unreadSeen: false })
    expect(settled(hidden, atEnd, true, undefined)).toMatchObject({ goal: "end", unreadSeen: true })
  })

  test("survives content that changes its size, and not a user who scrolls", () => {
    const line = settled(showUnread(start, long, 400, "maja", undefined), far, true, undefined)
    expect(line).toMatchObject({ goal: "unread", scrollTop: far.above })
    expect(isScrolledByUser(line, far.above + 0.5)).toBe(false)
    expect(isScrolledByUser(line, far.above - 1)).toBe(true)
    expect(scrolledByUser(line, { ...far, above: far.above - 1 }, true, undefined).goal).toBeUndefined()
  })

  test("is a message that the user jumped to, until its highlight ends", () => {
    const there = showTarget(start, long, 300, undefined)
    expect(there).toMatchObject({ goal: "target", viewport: around(300, long) })
    expect(releaseTarget(there).goal).toBeUndefined()
    expect(releaseTarget(start)).toBe(start)
    expect(showEnd(there, 1_000)).toMatchObject({ goal: "end", viewport: AT_END })
  })

  test("in a segment of the past, the viewport does not follow the segment's end", () => {
    const past = receive(emptyTimeline("e1", 100), messages(101, 200))
    expect(followsEnd(showTarget(start, past, 150, past).viewport)).toBe(false)
    expect(followsEnd(showUnread(start, past, 150, "maja", past).viewport)).toBe(false)
  })
})

describe("near an edge", () => {
  test("nothing happens in the middle", () => {
    expect(extended(reading, far, long, undefined)).toEqual({ state: reading, load: [] })
  })

  test("the viewport slides over the loaded messages", () => {
    const up = extended(reading, { ...far, above: REACH_PX - 1 }, long, undefined)
    expect(startOf(up.state.viewport, long)).toBeLessThan(startOf(reading.viewport, long))
    const down = extended(reading, { ...far, below: REACH_PX - 1 }, long, undefined)
    expect(startOf(down.state.viewport, long)).toBeGreaterThan(startOf(reading.viewport, long))
    expect([up.load, down.load]).toEqual([[], []])
  })

  test("older messages are fetched at the top of the loaded ones", () => {
    const top = { ...reading, viewport: around(1, long) }
    expect(extended(top, { ...far, above: 0 }, long, undefined)).toEqual({ state: top, load: ["older"] })
  })

  test("newer messages are fetched at the bottom of a segment of the past only", () => {
    const past = receive(emptyTimeline("e1", 100), messages(101, 300))
    const bottom = showTarget(start, past, 290, past)
    expect(extended(bottom, { ...far, below: 0 }, past, past)).toEqual({ state: bottom, load: ["newer"] })
    expect(extended(start, { ...far, below: 0 }, long, undefined)).toEqual({ state: start, load: [] })
  })

  test.each([400, 900, 2_160, 4_320])("in a window of %i pixels the viewport comes to rest", (height) => {
    const content = VIEWPORT_SIZE * 44 // the smallest messages
    let [state, above] = [reading, 0]
    for (let step = 0; step < 100; step += 1) {
      const measured = { above, below: content - above - height, height }
      const next = extended(state, measured, long, undefined).state
      if (next === state) break
      const slid = (startOf(state.viewport, long) - startOf(next.viewport, long)) * 44
      above = Math.min(Math.max(above + slid, 0), content - height)
      state = next
    }
    expect(extended(state, { above, below: content - above - height, height }, long, undefined).state).toBe(state)
  })

  test("a short segment fetches in both directions at once", () => {
    const past = receive(emptyTimeline("e1", 100), messages(101, 110))
    const both = extended(showTarget(start, past, 105, past), { above: 0, below: 0, height: 600 }, past, past)
    expect(both.load).toEqual(["older", "newer"])
  })

  test("at the end the viewport does not slide up, however high the window is", () => {
    expect(extended(start, { above: 0, below: 0, height: 600 }, long, undefined)).toEqual({ state: start, load: [] })
  })

  test("sliding gives the unread line up", () => {
    const line = showUnread(start, long, 500, "maja", undefined)
    expect(extended(line, { ...far, above: 0 }, long, undefined).state.goal).toBeUndefined()
  })

  test("step by step, the whole conversation is drawn and the end is found again", () => {
    let state: ScrollState = { ...start, goal: undefined }
    for (let step = 0; step < 100; step += 1) state = extended(state, { ...far, above: 0 }, long, undefined).state
    expect(startOf(state.viewport, long)).toBe(0)
    for (let step = 0; step < 100; step += 1) state = extended(state, { ...far, below: 0 }, long, undefined).state
    expect(startOf(state.viewport, long)).toBe(1_000 - VIEWPORT_SIZE)
    expect(followsEnd(state.viewport)).toBe(true)
  })
})

describe("corrections", () => {
  test("the end is as far down as possible", () => {
    expect(correctedScrollTop("end", 10, 4_000, undefined, 7)).toBe(4_000)
  })

  test("a goal comes back to its place, and an element that is not drawn moves nothing", () => {
    expect(correctedScrollTop("unread", 100, 4_000, -30, undefined)).toBe(70)
    expect(correctedScrollTop("target", 100, 4_000, undefined, 50)).toBe(100)
  })

  test("without a goal, the anchored message stays where it was", () => {
    expect(correctedScrollTop(undefined, 100, 4_000, 9, 250)).toBe(350)
    expect(correctedScrollTop(undefined, 100, 4_000, 9, undefined)).toBeUndefined()
    expect(correctedScrollTop(undefined, 100, 4_000, 9, 0.4)).toBeUndefined()
  })

  test("the place of a message in the content does not depend on the scroll position", () => {
    expect(contentOffset(250, 100, 1_000)).toBe(contentOffset(250 - 40, 100, 1_040))
  })

  test("the unread line belongs below the top edge, a target a third of the height down", () => {
    expect(goalOffset("unread", 200, 100, 600)).toBe(100 - UNREAD_LINE_PX)
    expect(goalOffset("target", 300, 100, 600)).toBe(0)
  })

  test("lengths are counted from both edges", () => {
    expect(lengths(100, 2_000, 600)).toEqual({ above: 100, below: 1_300, height: 600 })
  })

  test("the anchor is the first message that begins in sight, and nothing below it is measured", () => {
    const measuredElements: number[] = []
    const measure = (element: number) => {
      measuredElements.push(element)
      return { top: element * 10, bottom: element * 10 + 10 }
    }
    const elements = Array.from({ length: 120 }, (_, index) => index)
    expect(anchorOf(elements, measure, { top: 1_005, bottom: 1_100 })).toEqual({ element: 101, top: 1_010 })
    expect(measuredElements.length).toBeLessThan(10)
  })

  test("a message that fills the region is the anchor", () => {
    const measure = (element: number) => ({ top: element * 1_000, bottom: element * 1_000 + 1_000 })
    expect(anchorOf([0, 1, 2], measure, { top: 1_100, bottom: 1_900 })).toEqual({ element: 1, top: 1_000 })
    expect(anchorOf([0], measure, { top: 1_100, bottom: 1_900 })).toBeUndefined()
  })
})
