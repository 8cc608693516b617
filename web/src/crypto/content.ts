/**
 * The content of an encrypted body: JSON in UTF-8. The server cannot check it, so the parser is strict. Unknown fields are
 * ignored, because a newer client may add some.
 */
import { toJson } from "../api/json"
import { MAX_CONTENT_SIZE } from "./body"
import { utf8ToBytes } from "./suite"

/** What a message says. An edit also has `at`. */
export interface MessageContent {
  readonly text: string
  readonly reply_to?: string
  /** The sender's clock in milliseconds. An older edit never replaces a newer one. */
  readonly at?: number
}

/** A newer client made it; this one must be updated to read it. */
export const NEWER = "newer"

const VERSION = 1

export function serialize(content: MessageContent): Uint8Array {
  const bytes = utf8ToBytes(toJson({ v: VERSION, ...content }))
  if (bytes.length > MAX_CONTENT_SIZE) throw new Error("the content is too large")
  return bytes
}

/** Parses the content of a message or an edit. Throws if it is malformed. */
export function parse(kind: "message" | "edit", content: Uint8Array): MessageContent | typeof NEWER {
  if (content.length > MAX_CONTENT_SIZE) throw new Error("the content is too large")
  const fields: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content))
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) throw new Error("not an object")
  const { v, text, reply_to: replyTo, at } = fields as Record<string, unknown>
  if (!isPositiveInteger(v)) throw new Error("the version is malformed")
  if (v > VERSION) return NEWER
  if (!isText(text)) throw new Error("the text is missing or malformed")
  if (replyTo !== undefined && !isId(replyTo)) throw new Error("reply_to is malformed")
  if (at !== undefined && !isPositiveInteger(at)) throw new Error("the time is malformed")
  if (kind === "edit" && at === undefined) throw new Error("the time of an edit is missing")
  return { text, ...(replyTo !== undefined && { reply_to: replyTo }), ...(at !== undefined && { at }) }
}

function isPositiveInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Whether a value is a text without half surrogate pairs or U+0000, which databases and other clients reject. */
function isText(value: unknown): value is string {
  return typeof value === "string" && !/\p{Surrogate}|\0/u.test(value)
}

function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)
}
