/** The frames of the live event viewer, newest last, and their formatting. */

export interface Frame {
  readonly number: number
  readonly at: Date
  readonly direction: "in" | "out"
  readonly topic: string
  readonly event: string
  readonly payload: unknown
}

/** A line of a payload; encryption fields are highlighted. */
export interface Line {
  readonly text: string
  readonly kind: "plain" | "encryption" | "opaque"
}

const MOST_FRAMES = 1_000
const HEARTBEATS = "phoenix"
const ENCRYPTION = /^\s*"(encryption_\w+|version_tag|key_id|protocol|sender_device_id)":/

export function append(frames: readonly Frame[], frame: Frame): readonly Frame[] {
  return [...frames.slice(1 - MOST_FRAMES), frame]
}

/** Filters frames: topic, event or payload must contain every word of the query. */
export function matching(frames: readonly Frame[], filter: string, heartbeats: boolean): readonly Frame[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  return frames.filter((frame) => {
    if (!heartbeats && frame.topic === HEARTBEATS) return false
    const text = `${frame.topic} ${frame.event} ${JSON.stringify(frame.payload)}`.toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** Formats a payload as lines. Of an encrypted body, only the size is shown. */
export function lines(payload: unknown): readonly Line[] {
  const text = JSON.stringify(payload, hideCiphertext, 2) ?? "null"
  return text.split("\n").map((line) => ({ text: line, kind: kindOf(line) }))
}

const OPAQUE = "\u2039opaque, "

function hideCiphertext(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value
  const message = value as { encryption_flag?: unknown; body?: unknown }
  if (message.encryption_flag !== true || typeof message.body !== "string" || message.body.startsWith(OPAQUE))
    return value
  return { ...message, body: `${OPAQUE}${message.body.length} characters\u203a` }
}

function kindOf(line: string): Line["kind"] {
  if (line.includes(`"body": "${OPAQUE}`)) return "opaque"
  return ENCRYPTION.test(line) ? "encryption" : "plain"
}
