/**
 * The service worker: lets the app open without a network, and shows what rings.
 *
 * It keeps the files of the app and nothing else, all of them when it is installed: no answer that it sees later is kept,
 * and what the API says does not even pass through it.
 */
import { wordsHandedOver, type Errand } from "./page-bridge"
import { notice, type Shown } from "./notification"

interface Brand {
  readonly mark: string
  readonly files: readonly string[]
}

declare const self: ServiceWorkerGlobalScope
/** Filled in by the build: the files of the app, and a name for exactly these. */
declare const FILES: readonly string[]
declare const VERSION: string

/** Put before this file by a server with a look of its own: another look is another worker, which keeps it anew. */
const brand = (self as { brand?: Brand }).brand
const SHELF = ["famichat", VERSION, brand?.mark].join(".")
const KEPT = [...FILES, ...(brand?.files ?? [])]
const PAGE = "/"
const ICON = "/icon-192.png"
const PAGES = new Set([PAGE, "/invite"])
const PATIENCE_MS = 3_000
const SERVER_IS_AWAY = 500

self.addEventListener("install", (event) => event.waitUntil(keep()))
self.addEventListener("activate", (event) => event.waitUntil(takeOver()))

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url)
  if (event.request.method !== "GET" || origin !== location.origin) return
  if (event.request.mode === "navigate") {
    if (PAGES.has(pathname)) event.respondWith(page(event.request))
  } else if (KEPT.includes(pathname)) event.respondWith(file(event.request, pathname))
})

self.addEventListener("push", (event) => event.waitUntil(ring(event.data?.text() ?? "")))
self.addEventListener("notificationclick", (event) => {
  event.notification.close()
  event.waitUntil(enter((event.notification.data as Shown | undefined)?.conversationId))
})
self.addEventListener("pushsubscriptionchange", (event) => (event as ExtendableEvent).waitUntil(renew()))

async function keep(): Promise<void> {
  const shelf = await caches.open(SHELF)
  await shelf.addAll([PAGE, ...KEPT])
}

async function takeOver(): Promise<void> {
  const names = await caches.keys()
  await Promise.all(names.filter((name) => name !== SHELF).map((name) => caches.delete(name)))
  await self.clients.claim()
}

/** The newest page; the kept one where the network is away or slow, or a proxy answers for a server that is. */
async function page(request: Request): Promise<Response> {
  const kept = await caches.match(PAGE)
  if (!kept) return await fetch(request)
  const late = new Promise<Response>((resolve) => setTimeout(() => resolve(kept), PATIENCE_MS))
  const asked = fetch(request).then(
    (answer) => (answer.status < SERVER_IS_AWAY ? answer : kept),
    () => kept,
  )
  return await Promise.race([asked, late])
}

async function file(request: Request, pathname: string): Promise<Response> {
  return (await caches.match(pathname)) ?? (await fetch(request))
}

async function ring(told: string): Promise<void> {
  await Promise.all([show(notice(told, await wordsHandedOver())), navigator.setAppBadge?.()])
}

async function show(shown: Shown): Promise<void> {
  const { title, body, tag } = shown
  const options = { body, tag, renotify: true, icon: ICON, badge: ICON, data: shown }
  await self.registration.showNotification(title, options)
}

async function enter(conversationId: string | undefined): Promise<void> {
  const [open] = await pages()
  if (!open) {
    await self.clients.openWindow(conversationId ? `${PAGE}#/c/${conversationId}` : PAGE)
    return
  }
  if (conversationId) open.postMessage({ open: conversationId } satisfies Errand)
  await open.focus()
}

/** Only a page has the sign-in that a new subscription needs. */
async function renew(): Promise<void> {
  const open = await pages()
  for (const each of open) each.postMessage({ renew: true } satisfies Errand)
  if (open.length > 0) return
  const { app, renew: body } = await wordsHandedOver()
  await show({ title: app, body, tag: "renew" })
}

async function pages(): Promise<readonly WindowClient[]> {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true })
  return windows.filter((each) => PAGES.has(new URL(each.url).pathname))
}
