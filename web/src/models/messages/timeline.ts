/**
 * The messages of one conversation on this device: a gap-free range of `seq` that grows at both ends.
 *
 *     let timeline = begin(epoch, 40)                 // empty; messages after 40 are new
 *     timeline = receive(timeline, [message41])       // 41 follows: it is displayed
 *     timeline = receive(timeline, [message43])       // a gap: 43 is set aside,
 *     behind(timeline)                                // and this returns after which seq to fetch: 41
 *     timeline = prepend(timeline, olderPage)         // scrolling back
 *
 * Sequence numbers have no gaps, so counting decides about order, duplicates and losses. The same holds for changes to
 * messages, which are numbered too: of two versions of a message, the one with the larger `change` is current.
 */
import type { ChangePage, JoinReply, Message, MessagePage } from "../../api/types"

export interface Timeline {
  readonly epoch: string
  /** The `seq` just before the first message here. */
  readonly before: number
  /** The `seq` of the last message here. */
  readonly last: number
  readonly messages: readonly Message[]
  /** Messages received out of order, by `seq`. */
  readonly early: ReadonlyMap<number, Message>
  /** The conversation's last `seq` according to the server. */
  readonly head: number
  /** All messages here include the changes up to this number. */
  readonly changes: number
  /** The conversation's last change according to the server. */
  readonly changesHead: number
  /** Changed messages before the first one here, by `seq`: a page being fetched may be older than the change. */
  readonly changedOlder: ReadonlyMap<number, Message>
  /** Whether the first message here is the first visible one. New members may not see earlier messages. */
  readonly reachesStart: boolean
}

/** The part of a timeline that is stored between sessions. */
export type SavedTimeline = Pick<Timeline, "epoch" | "before" | "last" | "messages"> & { readonly changes?: number }

export function emptyTimeline(epoch: string, last: number, changes = 0): Timeline {
  const nothing = { messages: [], early: new Map(), changedOlder: new Map() }
  return { epoch, before: last, last, ...nothing, head: last, changes, changesHead: changes, reachesStart: last === 0 }
}

/** Returns the most recent messages, to be stored. */
export function newestPart(timeline: Timeline, count: number): SavedTimeline {
  const messages = timeline.messages.slice(-count)
  const { epoch, last, changes } = timeline
  return { epoch, before: last - messages.length, last, messages, changes }
}

/** Restores a timeline from stored messages. */
export function restore({ epoch, before, last, messages, changes }: SavedTimeline): Timeline {
  return { ...emptyTimeline(epoch, before, changes), last, messages, head: last }
}

export function messageAt(timeline: Timeline, seq: number): Message | undefined {
  return timeline.messages[seq - timeline.before - 1]
}

/** Adds messages that may be new, duplicate, changed or out of order. */
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
 * Adds a page of messages fetched after our last one. A gap means that the user could not see the messages in it, having
 * left the conversation for a while: the range restarts after the gap.
 */
export function receiveNext(timeline: Timeline, messages: readonly Message[]): Timeline {
  const first = messages[0]
  if (!first || first.seq <= timeline.last + 1) return receive(timeline, messages)
  const { head, early, changes, changesHead } = timeline
  const restarted = emptyTimeline(timeline.epoch, first.seq - 1, changes)
  return receive({ ...restarted, head, early, changesHead, reachesStart: true }, messages)
}

/** Applies a live change. The message may not be here, or not yet. */
export function applyChange(timeline: Timeline, message: Message): Timeline {
  const changes = message.change === timeline.changes + 1 ? message.change : timeline.changes
  return noteChangesHead({ ...withChanges(timeline, [message]), changes }, message.change)
}

/** Applies a page of changes fetched after our last one. */
export function applyChanges(timeline: Timeline, page: ChangePage): Timeline {
  const reached = page.has_more ? page.changes.at(-1)?.change : page.last_change
  const changes = Math.max(timeline.changes, reached ?? 0)
  return noteChangesHead({ ...withChanges(timeline, page.changes), changes }, page.last_change)
}

/** Records that the server has changes up to `head`. */
export function noteChangesHead(timeline: Timeline, head: number): Timeline {
  return head > timeline.changesHead ? { ...timeline, changesHead: head } : timeline
}

/** Returns after which change to fetch if some are missing, else undefined. */
export function missingChangesAfter(timeline: Timeline): number | undefined {
  return timeline.changesHead > timeline.changes ? timeline.changes : undefined
}

/** Records that the server has messages up to `head`. */
export function noteHead(timeline: Timeline, head: number): Timeline {
  return head > timeline.head ? { ...timeline, head } : timeline
}

/** Returns after which `seq` to fetch if messages are missing, else undefined. */
export function missingAfter(timeline: Timeline): number | undefined {
  return timeline.head > timeline.last ? timeline.last : undefined
}

/** Whether there are earlier messages to fetch. */
export function hasOlder(timeline: Timeline): boolean {
  return timeline.before > 0 && !timeline.reachesStart
}

/** Adds a page fetched with `before_seq` of the first message here. */
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

/** Creates a separate range from a page of the history. */
export function timelineFromPage(present: Timeline, page: MessagePage): Timeline | undefined {
  const first = page.messages[0]
  if (!first) return undefined
  const here = emptyTimeline(present.epoch, first.seq - 1, present.changes)
  return { ...receive(here, page.messages), reachesStart: first.seq === 1 || !page.has_more }
}

/** Joins a range of the history with the present once they are adjacent. */
export function merge(past: Timeline, present: Timeline): Timeline | undefined {
  if (past.last < present.before) return undefined
  return prepend(present, { messages: past.messages, has_more: !past.reachesStart })
}

/** Resumes after a join: from the last position, or from the start if the epoch has changed. */
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
