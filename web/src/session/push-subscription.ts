/** Notices to this device while Famichat is closed: Web Push, from this server through the browser's maker. */
import { sameBytes, unbase64url } from "../models/bytes"
import { withheld } from "../models/missing-features"
import { ApiError, Unreachable } from "../api/http"
import type { Session } from "./session"
import { workers } from "./service-worker"

const KEY = "famichat.bell"

export type Content = "none" | "sender" | "full"

export interface QuietHours {
  readonly from: string
  readonly until: string
  readonly time_zone: string
}

/** What somebody has chosen for all devices, and whether this one is rung. */
export interface Choices {
  readonly subscribed: boolean
  readonly content: Content
  readonly quiet_hours: QuietHours | null
}

export const OUTCOMES = [
  "sent",
  "not_subscribed",
  "gone",
  "busy",
  "refused",
  "unreachable",
  "forbidden_address",
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** The browser gives no notices: its person forbade them, or its maker's service does not answer. */
export class NoNotices extends Error {
  constructor(readonly why: "forbidden" | "service") {
    super(why)
  }
}

/** Every method throws what `Session.ask` does. */
export class Bell {
  constructor(private readonly session: Session) {}

  /** What is chosen. `subscribed` is true if both sides know of it: the server, and this browser. */
  async look(): Promise<Choices> {
    const choices = await this.session.ask<Choices>("GET", "/me/push")
    return { ...choices, subscribed: choices.subscribed && (await subscription()) !== null }
  }

  /**
   * Let this device be rung. The browser asks its person first.
   *
   * @throws {NoNotices} it gives none
   */
  async hang(): Promise<void> {
    if ((await Notification.requestPermission()) !== "granted") throw new NoNotices("forbidden")
    await this.#give(await this.#subscribed())
  }

  /** Ring this device no more. */
  async takeDown(): Promise<void> {
    await this.session.ask("DELETE", "/me/push")
    await silence()
  }

  async choose(change: Partial<Pick<Choices, "content" | "quiet_hours">>): Promise<void> {
    await this.session.ask("PATCH", "/me/push", change)
  }

  /** Ring this device now, and say what came of it. */
  async test(): Promise<Outcome> {
    return (await this.session.ask<{ outcome: Outcome }>("POST", "/me/push/test")).outcome
  }

  /**
   * See to it that a device which wanted to be rung still is: browsers end subscriptions, and so does a new key of the
   * server. What does not work now is tried again at the next start.
   */
  async mend(): Promise<void> {
    if (localStorage.getItem(KEY) !== this.session.deviceId || withheld(window).includes("notices")) return
    if (Notification.permission !== "granted") return
    try {
      const { subscribed } = await this.look()
      const key = await this.#key()
      const found = await subscription()
      if (subscribed && found && hasKey(found, key)) return
      await found?.unsubscribe()
      await this.#give(await this.#subscribed())
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable || error instanceof NoNotices)) throw error
    }
  }

  async #subscribed(): Promise<PushSubscription> {
    const { pushManager } = await registration()
    const applicationServerKey = await this.#key()
    return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }).catch((error: unknown) => {
      if (!(error instanceof DOMException)) throw error
      throw new NoNotices(error.name === "NotAllowedError" ? "forbidden" : "service")
    })
  }

  async #give(given: PushSubscription): Promise<void> {
    await this.session.ask("PUT", "/me/push", given.toJSON())
    localStorage.setItem(KEY, this.session.deviceId)
  }

  async #key(): Promise<Uint8Array<ArrayBuffer>> {
    return unbase64url((await this.session.ask<{ public_key: string }>("GET", "/push/key")).public_key)
  }
}

/** Whoever was signed in here is not any more: nothing rings, and nothing that did stays on the screen. */
export async function silence(): Promise<void> {
  localStorage.removeItem(KEY)
  await (await subscription())?.unsubscribe()
  await clearNotices()
}

/** Take notices off the screen: all, or those of a conversation that somebody is reading now. */
export async function clearNotices(conversationId?: string): Promise<void> {
  const found = await (
    await workers()?.getRegistration()
  )?.getNotifications(conversationId === undefined ? {} : { tag: conversationId })
  found?.forEach((notice) => notice.close())
}

async function subscription(): Promise<PushSubscription | null> {
  const worker = await workers()?.getRegistration()
  return (await worker?.pushManager?.getSubscription()) ?? null
}

async function registration(): Promise<ServiceWorkerRegistration> {
  const ready = await workers()?.ready
  if (!ready) throw new NoNotices("service")
  return ready
}

function hasKey(found: PushSubscription, key: Uint8Array): boolean {
  const used = found.options.applicationServerKey
  return used === null || sameBytes(new Uint8Array(used), key)
}
