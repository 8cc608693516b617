/** Notices to this device while Famichat is closed: Web Push, from this server through the browser's maker. */
import { sameBytes, unbase64url } from "../models/bytes"
import { missingFeatures } from "../models/missing-features"
import { ApiError, Unreachable } from "../api/http"
import type { Push } from "../api/types"
import type { Session } from "./session"
import { serviceWorkers } from "./service-worker"

const KEY = "famichat.bell"

export type { Hours as QuietHours, Push as PushPreferences } from "../api/types"
export type NotificationPreview = Push["content"]

export type PushTestOutcome =
  "sent" | "not_subscribed" | "gone" | "busy" | "refused" | "unreachable" | "forbidden_address"

/** The browser gives no notices: its person forbade them, or its maker's service does not answer. */
export class NotificationsUnavailable extends Error {
  constructor(readonly why: "forbidden" | "service") {
    super(why)
  }
}

/** Every method throws what `Session.ask` does. */
export class PushSubscriptionManager {
  constructor(private readonly session: Session) {}

  /** What is chosen. `subscribed` is true if both sides know of it: the server, and this browser. */
  async preferences(): Promise<Push> {
    const stored = await this.session.request<Push>("GET", "/me/push")
    return { ...stored, subscribed: stored.subscribed && (await currentSubscription()) !== null }
  }

  /**
   * Let this device be rung. The browser asks its person first.
   *
   * @throws {NotificationsUnavailable} it gives none
   */
  async subscribe(): Promise<void> {
    if ((await Notification.requestPermission()) !== "granted") throw new NotificationsUnavailable("forbidden")
    await this.#register(await this.#subscribeBrowser())
  }

  /** Ring this device no more. */
  async unsubscribe(): Promise<void> {
    await this.session.request("DELETE", "/me/push")
    await unsubscribeBrowser()
  }

  async updatePreferences(change: Partial<Pick<Push, "content" | "quiet_hours">>): Promise<void> {
    await this.session.request("PATCH", "/me/push", change)
  }

  /** Ring this device now, and say what came of it. */
  async sendTest(): Promise<PushTestOutcome> {
    return (await this.session.request<{ outcome: PushTestOutcome }>("POST", "/me/push/test")).outcome
  }

  /**
   * See to it that a device which wanted to be rung still is: browsers end subscriptions, and so does a new key of the
   * server. What does not work now is tried again at the next start.
   */
  async repair(): Promise<void> {
    if (localStorage.getItem(KEY) !== this.session.deviceId || missingFeatures(window).includes("notices")) return
    if (Notification.permission !== "granted") return
    try {
      const { subscribed } = await this.preferences()
      const key = await this.#serverKey()
      const found = await currentSubscription()
      if (subscribed && found && hasKey(found, key)) return
      await found?.unsubscribe()
      await this.#register(await this.#subscribeBrowser())
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable || error instanceof NotificationsUnavailable))
        throw error
    }
  }

  async #subscribeBrowser(): Promise<PushSubscription> {
    const { pushManager } = await registration()
    const applicationServerKey = await this.#serverKey()
    return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }).catch((error: unknown) => {
      if (!(error instanceof DOMException)) throw error
      throw new NotificationsUnavailable(error.name === "NotAllowedError" ? "forbidden" : "service")
    })
  }

  async #register(subscription: PushSubscription): Promise<void> {
    await this.session.request("PUT", "/me/push", subscription.toJSON())
    localStorage.setItem(KEY, this.session.deviceId)
  }

  async #serverKey(): Promise<Uint8Array<ArrayBuffer>> {
    return unbase64url((await this.session.request<{ public_key: string }>("GET", "/push/key")).public_key)
  }
}

/** Whoever was signed in here is not any more: nothing rings, and nothing that did stays on the screen. */
export async function unsubscribeBrowser(): Promise<void> {
  localStorage.removeItem(KEY)
  await (await currentSubscription())?.unsubscribe()
  await clearNotifications()
}

/** Take notices off the screen: all, or those of a conversation that somebody is reading now. */
export async function clearNotifications(conversationId?: string): Promise<void> {
  const found = await (
    await serviceWorkers()?.getRegistration()
  )?.getNotifications(conversationId === undefined ? {} : { tag: conversationId })
  found?.forEach((notification) => notification.close())
}

async function currentSubscription(): Promise<PushSubscription | null> {
  const worker = await serviceWorkers()?.getRegistration()
  return (await worker?.pushManager?.getSubscription()) ?? null
}

async function registration(): Promise<ServiceWorkerRegistration> {
  const ready = await serviceWorkers()?.ready
  if (!ready) throw new NotificationsUnavailable("service")
  return ready
}

function hasKey(found: PushSubscription, key: Uint8Array): boolean {
  const used = found.options.applicationServerKey
  return used === null || sameBytes(new Uint8Array(used), key)
}
