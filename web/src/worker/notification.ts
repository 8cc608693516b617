/** What a notice looks like that came while nobody listened. Plain functions; `worker.ts` shows it. */

/** The few sentences of it, in the language of the page, which hands them over: a worker has no page to ask. */
export interface NoticeWords {
  readonly app: string
  /** Something was said; the notice does not tell what. */
  readonly news: string
  readonly test: string
  /** The browser ended the subscription while no page was open. */
  readonly renew: string
}

export const PLAIN: NoticeWords = {
  app: "Famichat",
  news: "New message",
  test: "This is what a notice looks like.",
  renew: "Open Famichat once, so that this device keeps getting notices.",
}

export interface Shown {
  readonly title: string
  readonly body: string
  /** A newer notice takes the place of an older one with the same tag. */
  readonly tag: string
  /** The conversation that it leads to. */
  readonly conversationId?: string
}

interface Told {
  readonly kind?: unknown
  readonly conversation_id?: unknown
  readonly conversation_name?: unknown
  readonly sender?: unknown
  readonly body?: unknown
}

/** What to show for what the server told: as much as it says, and never nothing, which browsers do not forgive. */
export function notice(told: string, words: NoticeWords): Shown {
  const { kind, conversation_id, conversation_name, sender, body } = understood(told)
  if (kind === "test") return { title: words.app, body: words.test, tag: "test" }
  if (typeof conversation_id !== "string") return { title: words.app, body: words.news, tag: "news" }
  const names = [sender, conversation_name].filter((name) => typeof name === "string" && name !== "")
  return {
    title: names.length > 0 ? names.join(" · ") : words.app,
    body: typeof body === "string" ? body : words.news,
    tag: conversation_id,
    conversationId: conversation_id,
  }
}

function understood(told: string): Told {
  try {
    return (JSON.parse(told) as Told | null) ?? {}
  } catch (error) {
    if (error instanceof SyntaxError) return {} // from a newer server, perhaps: something happened all the same
    throw error
  }
}
