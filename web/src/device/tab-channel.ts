/** Tells the other tabs of an account what this one changed. */
import type { Draft } from "./database"

export type TabMessage =
  { readonly what: "outbox" } | { readonly what: "unsent"; readonly conversation_id: string; readonly unsent: Draft }

export class TabChannel {
  #open = true
  readonly #channel: BroadcastChannel
  readonly #listeners = new Set<(message: TabMessage) => void>()

  constructor(userId: string) {
    this.#channel = new BroadcastChannel(`famichat.${userId}`)
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      for (const listener of this.#listeners) listener(data)
    }
  }

  subscribe(listener: (message: TabMessage) => void): void {
    this.#listeners.add(listener)
  }

  /** Sends a message to the other tabs. After `close` it sends nothing: a transaction may end after the sign-out. */
  post(message: TabMessage): void {
    if (this.#open) this.#channel.postMessage(message)
  }

  close(): void {
    this.#open = false
    this.#channel.close()
  }
}
