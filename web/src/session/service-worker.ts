/** The page's side of the service worker: registration, texts and messages. */
import { saveTexts, type WorkerMessage } from "../worker/page-bridge"
import type { NotificationTexts } from "../worker/notification"

const ADDRESS = "/worker.js"

interface Policy {
  createScriptURL(scriptUrl: string): string
}

/** Registers the service worker, if the browser supports it. Over plain HTTP none does. */
export async function registerServiceWorker(): Promise<void> {
  await serviceWorkers()?.register(scriptUrl())
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

/** Trusted Types require a policy for worker URLs; this policy allows this one URL only. */
function scriptUrl(): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes
  return types?.createPolicy("famichat-worker", { createScriptURL: () => ADDRESS }).createScriptURL(ADDRESS) ?? ADDRESS
}
