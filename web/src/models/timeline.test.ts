import { describe, expect, test } from "vitest"

import type { Joined } from "../realtime/shapes"
import { conversation, message, messages, page } from "./examples"
import {
  begin,
  behind,
  follow,
  hasOlder,
  hear,
  messageAt,
  prepend,
  recall,
  receive,
  resume,
  tail,
  type Timeline,
} from "./timeline"

const seqs = (timeline: Timeline) => timeline.messages.map((each) => each.seq)

function joined(change: Partial<Joined>): Joined {
  const rest = { conversation: conversation("kitchen"), epoch: "e1", last_seq: 0, recovered: true, has_more: false }
  return { ...rest, messages: [], receipts: [], ...change }
}

describe("receiving", () => {
  test("what follows is appended", () => {
    const timeline = receive(begin("e1", 3), messages(4, 6))
    expect(seqs(timeline)).toEqual([4, 5, 6])
    expect(behind(timeline)).toBeUndefined()
  })

  test("what comes twice is there once", () => {
    const once = receive(begin("e1", 0), messages(1, 3))
    expect(seqs(receive(receive(once, messages(1, 3)), [message(2)]))).toEqual([1, 2, 3])
  })

  test("what changed takes the place of what was", () => {
    const timeline = receive(receive(begin("e1", 0), messages(1, 3)), [message(2, { body: "better" })])
    expect(timeline.messages[1]?.body).toBe("better")
  })

  test("what comes too early waits, and shows where to fetch from", () => {
    const gap = receive(begin("e1", 0), [message(1), message(3)])
    expect(seqs(gap)).toEqual([1])
    expect(behind(gap)).toBe(1)
    const closed = receive(gap, [message(2)])
    expect(seqs(closed)).toEqual([1, 2, 3])
    expect(behind(closed)).toBeUndefined()
  })

  test("any order, with any doubles, ends in the same timeline", () => {
    const arrivals = [5, 2, 2, 4, 1, 5, 3].map((seq) => message(seq))
    expect(seqs(arrivals.reduce((timeline, each) => receive(timeline, [each]), begin("e1", 0)))).toEqual([
      1, 2, 3, 4, 5,
    ])
  })

  test("what was said before our stretch begins is not news", () => {
    expect(seqs(receive(begin("e1", 10), messages(8, 11)))).toEqual([11])
  })

  test("a head beyond our last message means that something is missing", () => {
    const timeline = receive(begin("e1", 0), messages(1, 2))
    expect(behind(hear(timeline, 2))).toBeUndefined()
    expect(behind(hear(timeline, 4))).toBe(2)
  })
})

describe("reading back", () => {
  test("a page goes in front", () => {
    const timeline = prepend(receive(begin("e1", 6), messages(7, 8)), page(4, 6))
    expect(seqs(timeline)).toEqual([4, 5, 6, 7, 8])
    expect(hasOlder(timeline)).toBe(true)
  })

  test("the first message ends it", () => {
    expect(hasOlder(prepend(begin("e1", 2), page(1, 2)))).toBe(false)
    expect(hasOlder(prepend(begin("e1", 2), { messages: [], has_more: false }))).toBe(false)
  })

  test("an answer to an earlier question changes nothing", () => {
    const timeline = prepend(begin("e1", 6), page(4, 6))
    expect(prepend(timeline, page(4, 6))).toBe(timeline)
    expect(seqs(prepend(begin("e1", 6), page(1, 3)))).toEqual([])
  })
})

describe("joining again", () => {
  const known = receive(begin("e1", 0), messages(1, 3))

  test("goes on where we were", () => {
    const timeline = resume(known, joined({ last_seq: 5, messages: messages(4, 5) }))
    expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5])
    expect(behind(timeline)).toBeUndefined()
  })

  test("after a long absence, asks for the rest", () => {
    const timeline = resume(known, joined({ last_seq: 2503, messages: messages(4, 203), has_more: true }))
    expect(behind(timeline)).toBe(203)
  })

  test("with another history, starts over", () => {
    const restored = joined({ epoch: "e2", recovered: false, last_seq: 2, messages: messages(1, 2) })
    const timeline = resume(known, restored)
    expect(timeline.epoch).toBe("e2")
    expect(seqs(timeline)).toEqual([1, 2])
    expect(behind(timeline)).toBeUndefined()
  })

  test("with another history that is empty, has nothing", () => {
    expect(seqs(resume(known, joined({ epoch: "e2", recovered: false })))).toEqual([])
  })
})

describe("what is kept", () => {
  const kept = tail(receive(begin("e1", 0), messages(1, 500)), 120)

  test("is the end, and one goes on from there", () => {
    const timeline = recall(kept)
    expect(seqs(timeline)).toEqual(messages(381, 500).map((each) => each.seq))
    expect(hasOlder(timeline)).toBe(true)
    expect(seqs(resume(timeline, joined({ last_seq: 501, messages: [message(501)] }))).at(-1)).toBe(501)
  })

  test("of a short conversation is all of it", () => {
    expect(hasOlder(recall(tail(receive(begin("e1", 0), messages(1, 5)), 120)))).toBe(false)
  })
})

describe("somebody who was out of a group for a while", () => {
  const known = receive(begin("e1", 0), messages(1, 3))

  test("goes on where the server lets them read again, and does not wait for what lies between", () => {
    const timeline = resume(known, joined({ last_seq: 12, messages: messages(10, 12) }))
    expect(seqs(timeline)).toEqual([10, 11, 12])
    expect(behind(timeline)).toBeUndefined()
    expect(hasOlder(timeline)).toBe(false)
  })

  test("sees what changes there in its place", () => {
    const newcomer = prepend(begin("e1", 12), { messages: messages(10, 12), has_more: false })
    const timeline = receive(prepend(newcomer, { messages: [], has_more: false }), [message(11, { body: "better" })])
    expect(messageAt(timeline, 11)?.body).toBe("better")
    expect(seqs(timeline)).toEqual([10, 11, 12])
  })

  test("a page that goes on without a gap is simply taken in", () => {
    expect(seqs(follow(known, messages(3, 5)))).toEqual([1, 2, 3, 4, 5])
    expect(follow(known, [])).toEqual(known)
  })
})
