/** Reports to the server whether the app is in the foreground, and shows notifications while it is not. */
import type { Channel } from "phoenix"

import { showInTab, withdrawRead } from "../session/tab-notifications"
import type { NotificationPayload } from "../api/types"

/**
 * The server assumes the background after 45 seconds without a report. Without a reply to a report, the client probes
 * the connection: a device that only receives notices a dead one in this time.
 */
const REPORT_EVERY_MS = 30_000
const CHANGES = ["visibilitychange", "focus", "blur", "pageshow", "pagehide"]

/** The join parameters of the user's channel. */
export function attention(): { readonly foreground: boolean } {
  return { foreground: document.visibilityState === "visible" && document.hasFocus() }
}

export class Attention {
  readonly #timer: ReturnType<typeof setInterval>

  constructor(private readonly channel: Channel) {
    channel.on("notification", (payload: NotificationPayload) => void this.#onNotification(payload))
    channel.on("unread", ({ conversation_id, unread }: { conversation_id: string; unread: number }) => {
      if (unread === 0) void withdrawRead((id) => id === conversation_id)
    })
    for (const change of CHANGES) addEventListener(change, this.#report)
    this.#timer = setInterval(this.#report, REPORT_EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const change of CHANGES) removeEventListener(change, this.#report)
  }

  /** Before the join, Phoenix would queue an outdated report; the join itself contains the current state. */
  readonly #report = (): void => {
    if (this.channel.state === "joined") this.channel.push("attention", attention())
  }

  async #onNotification(payload: NotificationPayload): Promise<void> {
    const handled = attention().foreground || (await showInTab(payload))
    const { conversation_id, seq } = payload
    if (handled) this.channel.push("notified", { conversation_id, seq })
  }
}
