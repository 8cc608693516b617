/**
 * The service worker: opens the app offline and displays push notifications.
 *
 * It caches the files of the app at installation and nothing else. Later responses are not cached, and API requests do
 * not pass through it.
 */
import { loadTexts, type PageMessage, type WorkerMessage } from "./page-bridge"
import { notificationFor, readIn, type NotificationContent } from "./notification"
import { closeRead, show } from "./show"

interface BrandFiles {
  readonly mark: string
  readonly files: readonly string[]
}

declare const self: ServiceWorkerGlobalScope
/** Set by the build: the files of the app, and a version name for exactly these files. */
declare const FILES: readonly string[]
declare const VERSION: string

/** Prepended by a server with its own branding; a changed brand is a new worker, which refreshes its cache. */
const brand = (self as { brand?: BrandFiles }).brand
const CACHE = ["famichat", VERSION, brand?.mark].join(".")
const PRECACHED = [...FILES, ...(brand?.files ?? [])]
const PAGE = "/"
const PAGES = new Set([PAGE, "/invite", "/reset", "/confirm-email"])
const PATIENCE_MS = 1_000
const SERVER_IS_AWAY = 500

self.addEventListener("install", (event) => event.waitUntil(precache()))
self.addEventListener("activate", (event) => event.waitUntil(activate()))

self.addEventListener("message", (event) => {
  if ((event.data as Partial<PageMessage> | null)?.activate) event.waitUntil(self.skipWaiting())
})

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url)
  if (event.request.method !== "GET" || origin !== location.origin) return
  if (event.request.mode === "navigate") {
    if (PAGES.has(pathname)) event.respondWith(page(event.request))
  } else if (PRECACHED.includes(pathname)) event.respondWith(file(event.request, pathname))
})

self.addEventListener("push", (event) => event.waitUntil(showPush(event.data?.text() ?? "")))
self.addEventListener("notificationclick", (event) => {
  event.notification.close()
  event.waitUntil(openApp((event.notification.data as NotificationContent | undefined)?.conversationId))
})
self.addEventListener("pushsubscriptionchange", (event) => (event as ExtendableEvent).waitUntil(renew()))

async function precache(): Promise<void> {
  const cache = await caches.open(CACHE)
  await cache.addAll([PAGE, ...PRECACHED])
}

async function activate(): Promise<void> {
  const names = await caches.keys()
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)))
  await self.clients.claim()
}

/** Returns the current page, or the cached one if the network is down or slow, or a proxy reports the server as down. */
async function page(request: Request): Promise<Response> {
  const cached = await caches.match(PAGE)
  if (!cached) return await fetch(request)
  const timeout = new Promise<Response>((resolve) => setTimeout(() => resolve(cached), PATIENCE_MS))
  const asked = fetch(request).then(
    (answer) => (answer.status < SERVER_IS_AWAY ? answer : cached),
    () => cached,
  )
  return await Promise.race([asked, timeout])
}

async function file(request: Request, pathname: string): Promise<Response> {
  return (await caches.match(pathname)) ?? (await fetch(request))
}

async function showPush(payload: string): Promise<void> {
  const read = readIn(payload)
  await Promise.all([
    show(self.registration, notificationFor(payload, await loadTexts())),
    closeRead(self.registration, (conversationId) => read.includes(conversationId)),
    navigator.setAppBadge?.(),
  ])
}

async function openApp(conversationId: string | undefined): Promise<void> {
  const [open] = await pages()
  if (!open) {
    await self.clients.openWindow(conversationId ? `${PAGE}#/c/${conversationId}` : PAGE)
    return
  }
  if (conversationId) open.postMessage({ open: conversationId } satisfies WorkerMessage)
  await open.focus()
}

/** Asks a page to subscribe again, because only pages have the session that this requires. */
async function renew(): Promise<void> {
  const open = await pages()
  for (const each of open) each.postMessage({ renew: true } satisfies WorkerMessage)
  if (open.length > 0) return
  const { app, renew: body } = await loadTexts()
  await show(self.registration, { title: app, body, tag: "renew" })
}

async function pages(): Promise<readonly WindowClient[]> {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true })
  return windows.filter((each) => PAGES.has(new URL(each.url).pathname))
}
