/**
 * The messages of one conversation that this device has: a stretch of `seq` without gaps, which grows at both ends.
 *
 *     let timeline = begin(epoch, 40)                 // nothing yet; whatever comes after 40 is news
 *     timeline = receive(timeline, [message41])       // 41 follows: it is shown
 *     timeline = receive(timeline, [message43])       // a gap: 43 waits aside,
 *     behind(timeline)                                // and this says what to fetch after: 41
 *     timeline = prepend(timeline, olderPage)         // reading back
 *
 * Sequence numbers have no gaps, so order, doubles and losses are all decided by counting.
 */
import type { Joined, Message, Page } from "../realtime/shapes"

export interface Timeline {
  readonly epoch: string
  /** The place just before the first message here. */
  readonly before: number
  /** The place of the last message here. */
  readonly last: number
  readonly messages: readonly Message[]
  /** Messages that came too early, by their place. */
  readonly aside: ReadonlyMap<number, Message>
  /** How far the server says that the conversation goes. */
  readonly head: number
  /** Whether nothing comes before the first message here: for newcomers, a conversation may begin late. */
  readonly whole: boolean
}

/** What is kept of a timeline between two starts. */
export type Tail = Pick<Timeline, "epoch" | "before" | "last" | "messages">

export function begin(epoch: string, last: number): Timeline {
  return { epoch, before: last, last, messages: [], aside: new Map(), head: last, whole: last === 0 }
}

/** The newest messages, to be kept. */
export function tail(timeline: Timeline, count: number): Tail {
  const messages = timeline.messages.slice(-count)
  return { epoch: timeline.epoch, before: timeline.last - messages.length, last: timeline.last, messages }
}

/** Go on from what was kept. */
export function recall({ epoch, before, last, messages }: Tail): Timeline {
  return { ...begin(epoch, before), last, messages, head: last }
}

export function messageAt(timeline: Timeline, seq: number): Message | undefined {
  return timeline.messages[seq - timeline.before - 1]
}

/** Take in messages that are new, repeated, changed, or too early, in any order. */
export function receive(timeline: Timeline, arrived: readonly Message[]): Timeline {
  const messages = [...timeline.messages]
  const aside = new Map(timeline.aside)
  for (const message of arrived) {
    if (message.seq > timeline.last) aside.set(message.seq, message)
    else if (message.seq > timeline.before) messages[message.seq - timeline.before - 1] = message
  }
  let last = timeline.last
  for (let next = aside.get(last + 1); next; next = aside.get(last + 1)) {
    messages.push(next)
    aside.delete(++last)
  }
  return { ...timeline, messages, aside, last, head: Math.max(timeline.head, last, ...aside.keys()) }
}

/**
 * Take in what the server gives as the messages after our last one. Where it leaves some out they are not for this
 * person, who was out of the conversation for a while: the stretch begins anew behind them.
 */
export function follow(timeline: Timeline, messages: readonly Message[]): Timeline {
  const first = messages[0]
  if (!first || first.seq <= timeline.last + 1) return receive(timeline, messages)
  const { head, aside } = timeline
  return receive({ ...begin(timeline.epoch, first.seq - 1), head, aside, whole: true }, messages)
}

/** The server says that the conversation goes up to `head`. */
export function hear(timeline: Timeline, head: number): Timeline {
  return head > timeline.head ? { ...timeline, head } : timeline
}

/** After which place to fetch, when something is missing; else nothing. */
export function behind(timeline: Timeline): number | undefined {
  return timeline.head > timeline.last ? timeline.last : undefined
}

/** Whether there is more to read back to. */
export function hasOlder(timeline: Timeline): boolean {
  return timeline.before > 0 && !timeline.whole
}

/** Take in a page that was fetched with `before_seq` of the first message here. */
export function prepend(timeline: Timeline, page: Page): Timeline {
  const older = page.messages.filter((message) => message.seq <= timeline.before)
  const first = older[0]
  if (!first) return page.has_more ? timeline : { ...timeline, whole: true }
  if (older.at(-1)?.seq !== timeline.before) return timeline // an answer to an earlier question
  const messages = [...older, ...timeline.messages]
  return { ...timeline, before: first.seq - 1, messages, whole: first.seq === 1 || !page.has_more }
}

/** Go on after a (re)join: from where we were, or, when the server has another history now, from the start. */
export function resume(timeline: Timeline, joined: Joined): Timeline {
  if (joined.recovered && joined.epoch === timeline.epoch) {
    return hear(follow(timeline, joined.messages), joined.last_seq)
  }
  const first = joined.messages[0]
  const anew = begin(joined.epoch, first ? first.seq - 1 : joined.last_seq)
  return receive({ ...anew, head: joined.last_seq, whole: !joined.has_more }, joined.messages)
}
