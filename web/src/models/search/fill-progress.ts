/**
 * How much of a conversation's history the search contains: a range of `seq` without gaps, as in a timeline. Filling
 * extends it at both ends, and continues after a restart where it stopped.
 */
import type { ConversationSummary } from "../../api/types"
import type { TextEntry } from "./text-entry"

export interface FillProgress {
  readonly conversationId: string
  /** The history that the numbers refer to. */
  readonly epoch: string
  /** The `seq` just before the first message of the range. */
  readonly before: number
  /** The `seq` of the last message of the range. */
  readonly last: number
  /** All changes up to this number are applied. */
  readonly changes: number
  /** Whether the range begins with the first message that the user may read. */
  readonly complete: boolean
  /** When the first message of the range was sent (RFC 3339). */
  readonly reachedAt: string
}

/** Where a conversation's history stands on the server. */
export interface HistoryHead {
  readonly conversationId: string
  readonly epoch: string
  readonly lastSeq: number
  readonly lastChange: number
  /** When the last message was sent, or the conversation was created (RFC 3339). */
  readonly lastAt: string
}

export function headOf({
  id,
  epoch,
  last_seq,
  last_change,
  last_message,
  created_at,
}: ConversationSummary): HistoryHead {
  return {
    conversationId: id,
    epoch,
    lastSeq: last_seq,
    lastChange: Math.max(last_change, last_message?.change ?? 0),
    lastAt: last_message?.inserted_at ?? created_at,
  }
}

/**
 * An empty range at the end of the history.
 *
 * @param hasTexts texts were stored before the filling began: they may have changed since, so no change is skipped
 */
export function beginProgress(head: HistoryHead, hasTexts: boolean): FillProgress {
  return {
    conversationId: head.conversationId,
    epoch: head.epoch,
    before: head.lastSeq,
    last: head.lastSeq,
    changes: hasTexts ? 0 : head.lastChange,
    complete: head.lastSeq === 0,
    reachedAt: head.lastAt,
  }
}

/** Extends the range by messages and changes that follow it without a gap. */
export function withEntries(progress: FillProgress, entries: readonly TextEntry[]): FillProgress {
  let { last, changes } = progress
  for (const { seq } of [...entries].sort((one, other) => one.seq - other.seq)) if (seq === last + 1) last = seq
  for (const { change } of [...entries].sort((one, other) => one.change - other.change)) {
    if (change === changes + 1) changes = change
  }
  return last === progress.last && changes === progress.changes ? progress : { ...progress, last, changes }
}

/** Combines two states of the same range: another tab may have extended it, too. */
export function furthest(one: FillProgress, other: FillProgress): FillProgress {
  return {
    ...one,
    before: Math.min(one.before, other.before),
    last: Math.max(one.last, other.last),
    changes: Math.max(one.changes, other.changes),
    complete: one.complete || other.complete,
    reachedAt: one.reachedAt < other.reachedAt ? one.reachedAt : other.reachedAt,
  }
}
