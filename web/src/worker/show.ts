/** Displays a notification, from a page or from the service worker, so that both look the same and replace each other. */
import type { NotificationContent } from "./notification"

const ICON = "/icon-192.png"

/** Displays a notification. One that already displays the same message is replaced without a sound. */
export async function show(registration: ServiceWorkerRegistration, content: NotificationContent): Promise<void> {
  const { title, body, tag, seq } = content
  const [shown] = await registration.getNotifications({ tag })
  const repeated = seq !== undefined && ((shown?.data as NotificationContent | undefined)?.seq ?? 0) >= seq
  const options = { body, tag, renotify: !repeated, silent: repeated, icon: ICON, badge: ICON, data: content }
  await registration.showNotification(title, options)
}

/** Closes the displayed notifications of conversations that the user has read. */
export async function closeRead(
  registration: ServiceWorkerRegistration,
  isRead: (conversationId: string) => boolean,
): Promise<void> {
  for (const shown of await registration.getNotifications()) {
    const conversationId = (shown.data as NotificationContent | undefined)?.conversationId
    if (conversationId !== undefined && isRead(conversationId)) shown.close()
  }
}
