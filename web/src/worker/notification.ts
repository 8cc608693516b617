/** Builds notifications from push messages. Pure functions; `worker.ts` displays the result. */

import { withFewMarks } from "../models/text/graphemes"

/** Texts in the user's language, provided by the page because a worker cannot read its settings. */
export interface NotificationTexts {
  readonly app: string
  /** For a new message whose content is not shown. */
  readonly news: string
  readonly test: string
  /** For a password that is about to be reset: the user's, or another admin's, to which the user has to agree. */
  readonly reset: string
  /** For a subscription that the browser ended while no page was open. */
  readonly renew: string
}

export const DEFAULT_TEXTS: NotificationTexts = {
  app: "Famichat",
  news: "New message",
  test: "This is what a notice looks like.",
  reset: "Someone asked to reset a password. Open Famichat.",
  renew: "Open Famichat once, so that this device keeps getting notices.",
}

export interface NotificationContent {
  readonly title: string
  readonly body: string
  /** A newer notification replaces an older one with the same tag. */
  readonly tag: string
  /** The conversation that it opens. */
  readonly conversationId?: string
  /** The position of the message in it. */
  readonly seq?: number
}

interface PushPayload {
  readonly kind?: unknown
  readonly conversation_id?: unknown
  readonly conversation_name?: unknown
  readonly sender?: unknown
  readonly body?: unknown
  readonly seq?: unknown
  readonly read?: unknown
}

/** Returns the notification for a payload. Never nothing: browsers penalise push messages without a notification. */
export function notificationFor(payload: string, texts: NotificationTexts): NotificationContent {
  const { kind, conversation_id, conversation_name, sender, body, seq } = parsePayload(payload)
  if (kind === "test") return { title: texts.app, body: texts.test, tag: "test" }
  if (kind === "password_reset") return { title: texts.app, body: texts.reset, tag: kind }
  if (typeof conversation_id !== "string") return { title: texts.app, body: texts.news, tag: "news" }
  const names = [sender, conversation_name].filter((name) => typeof name === "string" && name !== "")
  return {
    title: names.length > 0 ? withFewMarks(names.join(" · ")) : texts.app,
    body: typeof body === "string" ? withFewMarks(body) : texts.news,
    tag: conversation_id,
    conversationId: conversation_id,
    ...(typeof seq === "number" && { seq }),
  }
}

/** Returns the conversations that the user has read meanwhile. */
export function readIn(payload: string): readonly unknown[] {
  const { read } = parsePayload(payload)
  return Array.isArray(read) ? read : []
}

function parsePayload(payload: string): PushPayload {
  try {
    return (JSON.parse(payload) as PushPayload | null) ?? {}
  } catch (error) {
    if (error instanceof SyntaxError) return {} // from a newer server, perhaps: something happened all the same
    throw error
  }
}
