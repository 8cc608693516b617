/** Web Push notifications to this device, delivered through the browser vendor's push service. */
import { sameBytes, unbase64url } from "../models/text/bytes"
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

/** Notifications are blocked in this browser, or its push service does not respond. */
export class NotificationsUnavailable extends Error {
  constructor(readonly why: "forbidden" | "service") {
    super(why)
  }
}

/** Every method throws what `Session.request` throws. */
export class PushSubscriptionManager {
  constructor(private readonly session: Session) {}

  /** Returns the preferences. `subscribed` is true only if both the server and this browser have the subscription. */
  async preferences(): Promise<Push> {
    const stored = await this.session.request<Push>("GET", "/me/push")
    return { ...stored, subscribed: stored.subscribed && (await currentSubscription()) !== null }
  }

  /**
   * Subscribes this device. The browser asks the user for permission first.
   *
   * @throws {NotificationsUnavailable} permission is denied or the push service failed
   */
  async subscribe(): Promise<void> {
    if ((await Notification.requestPermission()) !== "granted") throw new NotificationsUnavailable("forbidden")
    await this.#register(await this.#subscribeBrowser())
  }

  /** Unsubscribes this device. */
  async unsubscribe(): Promise<void> {
    await this.session.request("DELETE", "/me/push")
    await unsubscribeBrowser()
  }

  async updatePreferences(change: Partial<Pick<Push, "content" | "quiet_hours">>): Promise<void> {
    await this.session.request("PATCH", "/me/push", change)
  }

  /** Sends a test notification to this device and returns the outcome. */
  async sendTest(): Promise<PushTestOutcome> {
    return (await this.session.request<{ outcome: PushTestOutcome }>("POST", "/me/push/test")).outcome
  }

  /**
   * Renews a lost subscription: browsers end them, and a new server key invalidates them. On failure, the next start
   * tries again.
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

/** Unsubscribes the browser and closes its notifications after the user signed out. */
export async function unsubscribeBrowser(): Promise<void> {
  localStorage.removeItem(KEY)
  await (await currentSubscription())?.unsubscribe()
  await clearNotifications()
}

/** Closes displayed notifications: all, or those of a conversation that is being read. */
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
