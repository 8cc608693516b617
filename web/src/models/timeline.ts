/**
 * The messages of one conversation that this device has: a stretch of `seq` without gaps, which grows at both ends.
 *
 *     let timeline = begin(epoch, 40)                 // nothing yet; whatever comes after 40 is news
 *     timeline = receive(timeline, [message41])       // 41 follows: it is shown
 *     timeline = receive(timeline, [message43])       // a gap: 43 waits aside,
 *     behind(timeline)                                // and this says what to fetch after: 41
 *     timeline = prepend(timeline, olderPage)         // reading back
 *
 * Sequence numbers have no gaps, so order, doubles and losses are all decided by counting. So are changes of messages,
 * which have numbers of their own: of two views of a message, the one with the larger `change` is right.
 */
import type { ChangePage, JoinReply, Message, MessagePage } from "../api/types"

export interface Timeline {
  readonly epoch: string
  /** The place just before the first message here. */
  readonly before: number
  /** The place of the last message here. */
  readonly last: number
  readonly messages: readonly Message[]
  /** Messages that came too early, by their place. */
  readonly early: ReadonlyMap<number, Message>
  /** How far the server says that the conversation goes. */
  readonly head: number
  /** Up to which change everything here is as it was then, or newer. */
  readonly changes: number
  /** How far the server says that the changes go. */
  readonly changesHead: number
  /** Changed messages from before the first one here, by their place: a page that is on its way may be older. */
  readonly changedOlder: ReadonlyMap<number, Message>
  /** Whether nothing comes before the first message here: for newcomers, a conversation may begin late. */
  readonly reachesStart: boolean
}

/** What is kept of a timeline between two starts. */
export type SavedTimeline = Pick<Timeline, "epoch" | "before" | "last" | "messages"> & { readonly changes?: number }

export function emptyTimeline(epoch: string, last: number, changes = 0): Timeline {
  const nothing = { messages: [], early: new Map(), changedOlder: new Map() }
  return { epoch, before: last, last, ...nothing, head: last, changes, changesHead: changes, reachesStart: last === 0 }
}

/** The newest messages, to be kept. */
export function newestPart(timeline: Timeline, count: number): SavedTimeline {
  const messages = timeline.messages.slice(-count)
  const { epoch, last, changes } = timeline
  return { epoch, before: last - messages.length, last, messages, changes }
}

/** Go on from what was kept. */
export function restore({ epoch, before, last, messages, changes }: SavedTimeline): Timeline {
  return { ...emptyTimeline(epoch, before, changes), last, messages, head: last }
}

export function messageAt(timeline: Timeline, seq: number): Message | undefined {
  return timeline.messages[seq - timeline.before - 1]
}

/** Take in messages that are new, repeated, changed, or too early, in any order. */
export function receive(timeline: Timeline, arrived: readonly Message[]): Timeline {
  const messages = [...timeline.messages]
  const early = new Map(timeline.early)
  for (const message of arrived) {
    const place = message.seq - timeline.before - 1
    if (message.seq > timeline.last) early.set(message.seq, newer(early.get(message.seq), message))
    else if (place >= 0) messages[place] = newer(messages[place], message)
  }
  let last = timeline.last
  for (let next = early.get(last + 1); next; next = early.get(last + 1)) {
    messages.push(next)
    early.delete(++last)
  }
  return { ...timeline, messages, early, last, head: Math.max(timeline.head, last, ...early.keys()) }
}

/**
 * Take in what the server gives as the messages after our last one. Where it leaves some out they are not for this
 * person, who was out of the conversation for a while: the stretch begins anew behind them.
 */
export function receiveNext(timeline: Timeline, messages: readonly Message[]): Timeline {
  const first = messages[0]
  if (!first || first.seq <= timeline.last + 1) return receive(timeline, messages)
  const { head, early, changes, changesHead } = timeline
  const restarted = emptyTimeline(timeline.epoch, first.seq - 1, changes)
  return receive({ ...restarted, head, early, changesHead, reachesStart: true }, messages)
}

/** A message has changed, live. It may be one that is not here, or not yet. */
export function applyChange(timeline: Timeline, message: Message): Timeline {
  const changes = message.change === timeline.changes + 1 ? message.change : timeline.changes
  return noteChangesHead({ ...withChanges(timeline, [message]), changes }, message.change)
}

/** Take in what the server gives as the changes after ours. */
export function applyChanges(timeline: Timeline, page: ChangePage): Timeline {
  const reached = page.has_more ? page.changes.at(-1)?.change : page.last_change
  const changes = Math.max(timeline.changes, reached ?? 0)
  return noteChangesHead({ ...withChanges(timeline, page.changes), changes }, page.last_change)
}

/** The server says that there are changes up to `head`. */
export function noteChangesHead(timeline: Timeline, head: number): Timeline {
  return head > timeline.changesHead ? { ...timeline, changesHead: head } : timeline
}

/** After which change to fetch, when some are missing; else nothing. */
export function missingChangesAfter(timeline: Timeline): number | undefined {
  return timeline.changesHead > timeline.changes ? timeline.changes : undefined
}

/** The server says that the conversation goes up to `head`. */
export function noteHead(timeline: Timeline, head: number): Timeline {
  return head > timeline.head ? { ...timeline, head } : timeline
}

/** After which place to fetch, when something is missing; else nothing. */
export function missingAfter(timeline: Timeline): number | undefined {
  return timeline.head > timeline.last ? timeline.last : undefined
}

/** Whether there is more to read back to. */
export function hasOlder(timeline: Timeline): boolean {
  return timeline.before > 0 && !timeline.reachesStart
}

/** Take in a page that was fetched with `before_seq` of the first message here. */
export function prepend(timeline: Timeline, page: MessagePage): Timeline {
  const older = page.messages.filter((message) => message.seq <= timeline.before)
  const first = older[0]
  if (!first) return page.has_more ? timeline : { ...timeline, reachesStart: true }
  if (older.at(-1)?.seq !== timeline.before) return timeline // an answer to an earlier question
  const messages = [
    ...older.map((message) => newer(timeline.changedOlder.get(message.seq), message)),
    ...timeline.messages,
  ]
  const changedOlder = new Map([...timeline.changedOlder].filter(([seq]) => seq < first.seq))
  return {
    ...timeline,
    before: first.seq - 1,
    messages,
    changedOlder: changedOlder,
    reachesStart: first.seq === 1 || !page.has_more,
  }
}

/** A stretch of its own, from a page of the past. */
export function timelineFromPage(present: Timeline, page: MessagePage): Timeline | undefined {
  const first = page.messages[0]
  if (!first) return undefined
  const here = emptyTimeline(present.epoch, first.seq - 1, present.changes)
  return { ...receive(here, page.messages), reachesStart: first.seq === 1 || !page.has_more }
}

/** A stretch of the past and the present as one, as soon as they meet. */
export function merge(past: Timeline, present: Timeline): Timeline | undefined {
  if (past.last < present.before) return undefined
  return prepend(present, { messages: past.messages, has_more: !past.reachesStart })
}

/** Go on after a (re)join: from where we were, or, when the server has another history now, from the start. */
export function resume(timeline: Timeline, joined: JoinReply): Timeline {
  if (joined.recovered && joined.epoch === timeline.epoch) {
    const { changes, has_more_changes: has_more, last_change } = joined
    return noteHead(
      receiveNext(applyChanges(timeline, { changes, has_more, last_change }), joined.messages),
      joined.last_seq,
    )
  }
  const first = joined.messages[0]
  const restarted = emptyTimeline(joined.epoch, first ? first.seq - 1 : joined.last_seq, joined.last_change)
  return receive({ ...restarted, head: joined.last_seq, reachesStart: !joined.has_more }, joined.messages)
}

function withChanges(timeline: Timeline, changed: readonly Message[]): Timeline {
  const changedOlder = new Map(timeline.changedOlder)
  for (const message of changed) {
    if (message.seq <= timeline.before) changedOlder.set(message.seq, newer(changedOlder.get(message.seq), message))
  }
  return { ...receive(timeline, changed), changedOlder: changedOlder }
}

function newer(known: Message | undefined, message: Message): Message {
  return known !== undefined && known.change > message.change ? known : message
}
