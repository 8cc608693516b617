/** New versions of the web client: detecting them, and changing to them without leaving an old service worker behind. */
import { serviceWorkers } from "./service-worker"
import type { PageMessage } from "../worker/page-bridge"

const ENTRY = /\/assets\/index-[\w-]+\.js/
/** How long a new service worker may take to replace the old one before the page reloads. */
const ACTIVATION_TIMEOUT_MS = 2_000

/** Whether the server has another version of this page. False if it does not respond. */
export async function isOutdated(): Promise<boolean> {
  const own = entryOf(document.documentElement.outerHTML)
  const response = await fetch("/", { cache: "no-store" }).catch(() => undefined)
  const current = response?.ok ? entryOf(await response.text().catch(() => "")) : undefined
  return own !== undefined && current !== undefined && current !== own
}

/** Calls `changed` when a new service worker was installed, or has replaced the old one. Returns a function that stops this. */
export function onNewWorker(changed: () => void): () => void {
  const workers = serviceWorkers()
  const events = new AbortController()
  const { signal } = events
  workers?.addEventListener("controllerchange", changed, { signal })
  void workers?.ready.then((registration) => {
    if (registration.waiting) changed()
    const installing = () => registration.installing?.addEventListener("statechange", changed, { signal })
    registration.addEventListener("updatefound", installing, { signal })
  })
  return () => events.abort()
}

/** Lets a waiting service worker replace the old one. Its files are those of the newest page. */
export async function activateWaitingWorker(): Promise<void> {
  const workers = serviceWorkers()
  const waiting = (await workers?.getRegistration())?.waiting
  if (!workers || !waiting) return
  await new Promise<void>((resolve) => {
    workers.addEventListener("controllerchange", () => resolve(), { once: true })
    setTimeout(resolve, ACTIVATION_TIMEOUT_MS)
    waiting.postMessage({ activate: true } satisfies PageMessage)
  })
}

/** Changes to the new version. Drafts and unsent messages are stored on this device. */
export async function update(): Promise<void> {
  await activateWaitingWorker()
  location.reload()
}

/** The path of the page's script, whose name contains a hash of its content. */
function entryOf(html: string): string | undefined {
  return ENTRY.exec(html)?.[0]
}
