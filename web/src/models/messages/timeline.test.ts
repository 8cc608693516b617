import { describe, expect, test } from "vitest"

import type { JoinReply } from "../../api/types"
import { conversation, message, messages, page } from "../fixtures"
import {
  applyChange,
  emptyTimeline,
  missingAfter,
  missingChangesAfter,
  applyChanges,
  receiveNext,
  hasOlder,
  noteHead,
  noteChangesHead,
  merge,
  messageAt,
  prepend,
  restore,
  receive,
  resume,
  timelineFromPage,
  newestPart,
  type Timeline,
} from "./timeline"

const seqs = (timeline: Timeline) => timeline.messages.map((each) => each.seq)

function joined(change: Partial<JoinReply>): JoinReply {
  const rest = { conversation: conversation("kitchen"), epoch: "e1", last_seq: 0, recovered: true, has_more: false }
  const encryption_status = "disabled"
  const nothing = { messages: [], receipts: [], last_change: 0, changes: [], has_more_changes: false }
  return { ...rest, ...nothing, encryption_status, ...change }
}

describe("receiving", () => {
  test("the next message is appended", () => {
    const timeline = receive(emptyTimeline("e1", 3), messages(4, 6))
    expect(seqs(timeline)).toEqual([4, 5, 6])
    expect(missingAfter(timeline)).toBeUndefined()
  })

  test("a repeated message is shown once", () => {
    const once = receive(emptyTimeline("e1", 0), messages(1, 3))
    expect(seqs(receive(receive(once, messages(1, 3)), [message(2)]))).toEqual([1, 2, 3])
  })

  test("a changed message replaces the earlier version", () => {
    const timeline = receive(receive(emptyTimeline("e1", 0), messages(1, 3)), [message(2, { body: "better" })])
    expect(timeline.messages[1]?.body).toBe("better")
  })

  test("a message that arrives too early waits, and the gap is known", () => {
    const gap = receive(emptyTimeline("e1", 0), [message(1), message(3)])
    expect(seqs(gap)).toEqual([1])
    expect(missingAfter(gap)).toBe(1)
    const closed = receive(gap, [message(2)])
    expect(seqs(closed)).toEqual([1, 2, 3])
    expect(missingAfter(closed)).toBeUndefined()
  })

  test("any order, with any doubles, ends in the same timeline", () => {
    const arrivals = [5, 2, 2, 4, 1, 5, 3].map((seq) => message(seq))
    expect(seqs(arrivals.reduce((timeline, each) => receive(timeline, [each]), emptyTimeline("e1", 0)))).toEqual([
      1, 2, 3, 4, 5,
    ])
  })

  test("a message before the loaded range is not new", () => {
    expect(seqs(receive(emptyTimeline("e1", 10), messages(8, 11)))).toEqual([11])
  })

  test("a head beyond our last message means that something is missing", () => {
    const timeline = receive(emptyTimeline("e1", 0), messages(1, 2))
    expect(missingAfter(noteHead(timeline, 2))).toBeUndefined()
    expect(missingAfter(noteHead(timeline, 4))).toBe(2)
  })
})

describe("reading back", () => {
  test("a page of older messages is prepended", () => {
    const timeline = prepend(receive(emptyTimeline("e1", 6), messages(7, 8)), page(4, 6))
    expect(seqs(timeline)).toEqual([4, 5, 6, 7, 8])
    expect(hasOlder(timeline)).toBe(true)
  })

  test("the first message ends it", () => {
    expect(hasOlder(prepend(emptyTimeline("e1", 2), page(1, 2)))).toBe(false)
    expect(hasOlder(prepend(emptyTimeline("e1", 2), { messages: [], has_more: false }))).toBe(false)
  })

  test("an answer to an earlier question changes nothing", () => {
    const timeline = prepend(emptyTimeline("e1", 6), page(4, 6))
    expect(prepend(timeline, page(4, 6))).toBe(timeline)
    expect(seqs(prepend(emptyTimeline("e1", 6), page(1, 3)))).toEqual([])
  })
})

describe("joining again", () => {
  const known = receive(emptyTimeline("e1", 0), messages(1, 3))

  test("continues at the last position", () => {
    const timeline = resume(known, joined({ last_seq: 5, messages: messages(4, 5) }))
    expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5])
    expect(missingAfter(timeline)).toBeUndefined()
  })

  test("after a long absence, asks for the rest", () => {
    const timeline = resume(known, joined({ last_seq: 2503, messages: messages(4, 203), has_more: true }))
    expect(missingAfter(timeline)).toBe(203)
  })

  test("with another history, starts over", () => {
    const restored = joined({ epoch: "e2", recovered: false, last_seq: 2, messages: messages(1, 2) })
    const timeline = resume(known, restored)
    expect(timeline.epoch).toBe("e2")
    expect(seqs(timeline)).toEqual([1, 2])
    expect(missingAfter(timeline)).toBeUndefined()
  })

  test("with another history that is empty, has nothing", () => {
    expect(seqs(resume(known, joined({ epoch: "e2", recovered: false })))).toEqual([])
  })
})

describe("the stored end of a conversation", () => {
  const kept = newestPart(receive(emptyTimeline("e1", 0), messages(1, 500)), 120)

  test("is the end, and the timeline continues from there", () => {
    const timeline = restore(kept)
    expect(seqs(timeline)).toEqual(messages(381, 500).map((each) => each.seq))
    expect(hasOlder(timeline)).toBe(true)
    expect(seqs(resume(timeline, joined({ last_seq: 501, messages: [message(501)] }))).at(-1)).toBe(501)
  })

  test("of a short conversation is all of it", () => {
    expect(hasOlder(restore(newestPart(receive(emptyTimeline("e1", 0), messages(1, 5)), 120)))).toBe(false)
  })
})

describe("a user who was out of a group for a while", () => {
  const known = receive(emptyTimeline("e1", 0), messages(1, 3))

  test("continues at the first visible message and does not wait for the hidden ones", () => {
    const timeline = resume(known, joined({ last_seq: 12, messages: messages(10, 12) }))
    expect(seqs(timeline)).toEqual([10, 11, 12])
    expect(missingAfter(timeline)).toBeUndefined()
    expect(hasOlder(timeline)).toBe(false)
  })

  test("sees what changes there in its place", () => {
    const newcomer = prepend(emptyTimeline("e1", 12), { messages: messages(10, 12), has_more: false })
    const timeline = receive(prepend(newcomer, { messages: [], has_more: false }), [message(11, { body: "better" })])
    expect(messageAt(timeline, 11)?.body).toBe("better")
    expect(seqs(timeline)).toEqual([10, 11, 12])
  })

  test("a page without a gap is added", () => {
    expect(seqs(receiveNext(known, messages(3, 5)))).toEqual([1, 2, 3, 4, 5])
    expect(receiveNext(known, [])).toEqual(known)
  })
})

describe("changes", () => {
  const three = receive(emptyTimeline("e1", 0), messages(1, 3))
  const changed = (seq: number, change: number) => message(seq, { change, body: `after ${change}` })
  const body = (timeline: Timeline, seq: number) => messageAt(timeline, seq)?.body

  test("a change replaces the message and advances the change position", () => {
    const timeline = applyChange(applyChange(three, changed(2, 1)), changed(2, 2))
    expect(body(timeline, 2)).toBe("after 2")
    expect([timeline.changes, missingChangesAfter(timeline)]).toEqual([2, undefined])
  })

  test("of two views of a message the one with the later change is right, in whatever order they come", () => {
    const timeline = receive(applyChange(three, changed(2, 5)), [message(2), changed(2, 4)])
    expect(body(timeline, 2)).toBe("after 5")
  })

  test("a change that was missed shows where to fetch from", () => {
    const gap = applyChange(three, changed(1, 3))
    expect(missingChangesAfter(gap)).toBe(0)
    expect(missingChangesAfter(noteChangesHead(three, 2))).toBe(0)
    const closed = applyChanges(gap, { changes: [changed(2, 2), changed(1, 3)], has_more: false, last_change: 3 })
    expect(missingChangesAfter(closed)).toBeUndefined()
    expect([1, 2, 3].map((seq) => body(closed, seq))).toEqual(["after 3", "after 2", "message 3"])
  })

  test("the feed is fetched on from the last of a page", () => {
    const some = applyChanges(three, { changes: [changed(1, 4)], has_more: true, last_change: 9 })
    expect(missingChangesAfter(some)).toBe(4)
    expect(missingChangesAfter(applyChanges(some, { changes: [], has_more: false, last_change: 9 }))).toBeUndefined()
  })

  test("a page requested before a change does not bring back the earlier version", () => {
    const late = applyChange(emptyTimeline("e1", 10), changed(8, 1))
    expect(late.messages).toEqual([])
    const read = prepend(late, { messages: messages(6, 10), has_more: true })
    expect(body(read, 8)).toBe("after 1")
    expect(read.changedOlder.size).toBe(0)
  })

  test("a change of a message that has not come yet is not lost when an older view of it comes", () => {
    const gap = applyChange(three, changed(5, 1))
    expect(body(receive(gap, [message(4), message(5)]), 5)).toBe("after 1")
  })

  test("a resume brings the changes made meanwhile", () => {
    const reply = joined({ last_seq: 4, messages: [changed(4, 3)], last_change: 3, changes: [changed(1, 2)] })
    const timeline = resume(three, reply)
    expect([1, 4].map((seq) => body(timeline, seq))).toEqual(["after 2", "after 3"])
    expect([timeline.changes, missingChangesAfter(timeline)]).toEqual([3, undefined])
    const more = resume(three, { ...reply, has_more_changes: true, last_change: 7 })
    expect(missingChangesAfter(more)).toBe(2)
  })

  test("another history begins at its own changes", () => {
    const timeline = resume(
      applyChange(three, changed(1, 1)),
      joined({ recovered: false, epoch: "e2", last_change: 5 }),
    )
    expect([timeline.changes, timeline.changesHead]).toEqual([5, 5])
  })

  test("the stored end has its change position", () => {
    const kept = newestPart(applyChange(three, changed(3, 1)), 2)
    expect(restore(kept)).toMatchObject({ changes: 1, last: 3, before: 1 })
    const { changes: _, ...old } = kept
    expect(restore(old).changes).toBe(0)
  })

  test("any loss and any order of live events ends in the state that a new reader sees", () => {
    let seed = 7
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below
    for (let round = 0; round < 200; round += 1) {
      const truth = messages(1, 6)
      let [timeline, count] = [receive(emptyTimeline("e1", 0), messages(1, 4)), 0]
      const told = Array.from({ length: 12 }, () => {
        const next = changed(1 + random(6), (count += 1))
        truth[next.seq - 1] = next
        return next
      })
      const heard = told.filter(() => random(3) > 0).sort(() => random(3) - 1)
      timeline = receive(heard.reduce(applyChange, timeline), messages(5, 6))
      timeline = noteChangesHead(timeline, count)
      for (let after = missingChangesAfter(timeline); after !== undefined; after = missingChangesAfter(timeline)) {
        const from = after
        const due = truth.filter((each) => each.change > from).sort((a, b) => a.change - b.change)
        timeline = applyChanges(timeline, { changes: due.slice(0, 2), has_more: due.length > 2, last_change: count })
      }
      expect(timeline.messages).toEqual(truth)
    }
  })
})

describe("a stretch of the past", () => {
  const present = receive(emptyTimeline("e1", 500, 3), messages(501, 510))
  const past = timelineFromPage(present, { messages: messages(101, 200), has_more: true })

  test("is of the same history, and grows at both ends until it meets the present", () => {
    expect(past).toMatchObject({ epoch: "e1", before: 100, last: 200, reachesStart: false })
    if (!past) return
    expect(merge(past, present)).toBeUndefined()
    const grown = receive(prepend(past, page(51, 100)), messages(201, 505))
    const both = merge(grown, present)
    expect(both).toMatchObject({ before: 50, last: 510, reachesStart: false })
    expect(both?.messages.map((each) => each.seq)).toEqual(messages(51, 510).map((each) => each.seq))
  })

  test("begins where the conversation does, for this person", () => {
    expect(timelineFromPage(present, page(1, 50))?.reachesStart).toBe(true)
    expect(timelineFromPage(present, { messages: messages(20, 50), has_more: false })?.reachesStart).toBe(true)
    expect(timelineFromPage(present, { messages: [], has_more: false })).toBeUndefined()
  })

  test("does not bring back the earlier version of a message", () => {
    const changed = applyChange(present, message(300, { change: 4, body: "new" }))
    const here = timelineFromPage(present, { messages: messages(201, 500), has_more: true })
    expect(here && messageAt(merge(here, changed) ?? changed, 300)?.body).toBe("new")
  })
})
