/** The page's side of the service worker: registration, texts and messages. */
import { trustedScriptUrl } from "../device/script-url"
import { saveTexts, type WorkerMessage } from "../worker/page-bridge"
import type { NotificationTexts } from "../worker/notification"

const ADDRESS = "/worker.js"

/** Registers the service worker, if the browser supports it. Over plain HTTP none does. */
export async function registerServiceWorker(): Promise<void> {
  await serviceWorkers()?.register(trustedScriptUrl("famichat-worker", ADDRESS))
}

/** Stores the notification texts for the service worker. */
export async function saveNotificationTexts(texts: NotificationTexts): Promise<void> {
  if (serviceWorkers()) await saveTexts(texts)
}

/** Calls `run` for each message of the service worker. Returns a function that stops this. */
export function onWorkerMessage(run: (message: WorkerMessage) => void): () => void {
  const listener = ({ data }: MessageEvent<WorkerMessage>) => run(data)
  serviceWorkers()?.addEventListener("message", listener)
  serviceWorkers()?.startMessages()
  return () => serviceWorkers()?.removeEventListener("message", listener)
}

export function serviceWorkers(): ServiceWorkerContainer | undefined {
  return (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker
}
