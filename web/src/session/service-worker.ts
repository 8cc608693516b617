/** The service worker, as pages see it: started once, given its words, heard when it asks for something. */
import { saveTexts, type WorkerMessage } from "../worker/page-bridge"
import type { NotificationTexts } from "../worker/notification"

const ADDRESS = "/worker.js"

interface Policy {
  createScriptURL(scriptUrl: string): string
}

/** Start it, where the browser has one. Over plain HTTP none does. */
export async function registerServiceWorker(): Promise<void> {
  await serviceWorkers()?.register(scriptUrl())
}

/** Leave it the words of its notices. */
export async function saveNotificationTexts(texts: NotificationTexts): Promise<void> {
  if (serviceWorkers()) await saveTexts(texts)
}

/** Do what it asks for. The answer ends that. */
export function onWorkerMessage(run: (message: WorkerMessage) => void): () => void {
  const listener = ({ data }: MessageEvent<WorkerMessage>) => run(data)
  serviceWorkers()?.addEventListener("message", listener)
  serviceWorkers()?.startMessages()
  return () => serviceWorkers()?.removeEventListener("message", listener)
}

export function serviceWorkers(): ServiceWorkerContainer | undefined {
  return (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker
}

/** Where Trusted Types are enforced, a worker's address must come from a policy: this one knows no other address. */
function scriptUrl(): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes
  return types?.createPolicy("famichat-worker", { createScriptURL: () => ADDRESS }).createScriptURL(ADDRESS) ?? ADDRESS
}
