/**
 * The texts of one part of a conversation, folded and joined by line breaks: one string is scanned many times faster, and
 * needs less memory, than one string per message.
 */
export interface Segment {
  readonly conversationId: string
  /** See `segmentNumber`. */
  readonly number: number
  /** One line per message, in the order of `seq`. Messages without a text have none. */
  readonly text: string
  /** Where each line begins. */
  readonly starts: Uint32Array
  readonly seqs: Uint32Array
  /** When each message was sent, in seconds since 1970. */
  readonly times: Uint32Array
  /** The newest of `times`; 0 if there are none. */
  readonly newest: number
  /** The `seq` of each message that this device cannot decrypt. */
  readonly locked: Uint32Array
}

export interface Line {
  /** Folded. Empty if the message has no text, or is deleted; null if this device cannot decrypt it. */
  readonly text: string | null
  readonly time: number
}

/** `seq` values per segment. A new message rewrites one segment, and a search scans all of them. */
const SEGMENT_SIZE = 1_024

/** The number of the segment that a message belongs to. */
export function segmentNumber(seq: number): number {
  return Math.floor(seq / SEGMENT_SIZE)
}

/**
 * Adds messages to a segment, or replaces them.
 *
 * @param lines by `seq`
 */
export function withLines(
  { conversationId, number }: Pick<Segment, "conversationId" | "number">,
  segment: Segment | undefined,
  lines: ReadonlyMap<number, Line>,
): Segment {
  const all = new Map([...(segment ? linesOf(segment) : []), ...lines])
  const sorted = [...all].sort(([one], [other]) => one - other)
  const readable = sorted.filter((each): each is [number, { text: string; time: number }] => Boolean(each[1].text))
  const starts = new Uint32Array(readable.length)
  let length = 0
  for (const [index, [, { text }]] of readable.entries()) {
    starts[index] = length
    length += text.length + 1
  }
  const times = Uint32Array.from(readable, ([, { time }]) => time)
  return {
    conversationId,
    number,
    text: readable.map(([, { text }]) => text).join("\n"),
    starts,
    seqs: Uint32Array.from(readable, ([seq]) => seq),
    times,
    newest: times.reduce((newest, time) => Math.max(newest, time), 0),
    locked: Uint32Array.from(sorted.filter(([, { text }]) => text === null).map(([seq]) => seq)),
  }
}

function linesOf({ text, seqs, times, locked }: Segment): Map<number, Line> {
  const texts = text.split("\n")
  const lines = new Map<number, Line>([...locked].map((seq) => [seq, { text: null, time: 0 }]))
  for (const [index, seq] of seqs.entries()) lines.set(seq, { text: texts[index] ?? "", time: times[index] ?? 0 })
  return lines
}
