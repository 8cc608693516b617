/** Notifications that a page shows itself while it is in the background. */
import { claimOnce } from "../device/cross-tab-lock"
import { loadTexts } from "../worker/page-bridge"
import { notificationFor } from "../worker/notification"
import { closeRead, show } from "../worker/show"
import type { NotificationPayload } from "../api/types"
import { serviceWorkers } from "./service-worker"

/**
 * Shows a notification, in one tab only and if the user permits it.
 *
 * @returns whether this tab or another one shows it
 */
export async function showInTab(payload: NotificationPayload): Promise<boolean> {
  const registration = await serviceWorkers()?.getRegistration()
  if (!registration || Notification.permission !== "granted") return false
  if (await claimOnce(`notification.${payload.conversation_id}`, payload.message_id)) {
    await show(registration, notificationFor(JSON.stringify(payload), await loadTexts()))
  }
  return true
}

/** Closes the notifications of conversations that were read, perhaps on another device. */
export async function withdrawRead(isRead: (conversationId: string) => boolean): Promise<void> {
  const registration = await serviceWorkers()?.getRegistration()
  if (registration) await closeRead(registration, isRead)
}
