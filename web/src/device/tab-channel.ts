/** Between the tabs of one account: what one of them changed, the others know. */
import type { Unsent } from "./database"

export type News =
  { readonly what: "outbox" } | { readonly what: "unsent"; readonly conversation_id: string; readonly unsent: Unsent }

export class Wire {
  readonly #channel: BroadcastChannel
  readonly #listeners = new Set<(news: News) => void>()

  constructor(userId: string) {
    this.#channel = new BroadcastChannel(`famichat.${userId}`)
    this.#channel.onmessage = ({ data }: MessageEvent<News>) => {
      for (const listener of this.#listeners) listener(data)
    }
  }

  hear(listener: (news: News) => void): void {
    this.#listeners.add(listener)
  }

  tell(news: News): void {
    this.#channel.postMessage(news)
  }

  close(): void {
    this.#channel.close()
  }
}
