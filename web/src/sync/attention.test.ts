import { expect, test, vi } from "vitest"

import { ChatServer } from "../testing/chat-server"
import { startClient, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"

useFakeBrowser()

const payload = {
  kind: "message",
  conversation_id: "kitchen",
  conversation_type: "group",
  message_id: "m1",
  seq: 1,
  content: "full",
  sender: "Inga",
  body: "Buns are ready",
}

interface Shown {
  readonly title: string
  readonly body: string
  readonly data: { readonly conversationId: string; readonly seq: number }
  readonly silent: boolean
  close(): void
}

/** Installs a service worker registration, as `navigator.serviceWorker` has it; returns what it displays. */
function installNotifications(permission: NotificationPermission = "granted") {
  const displayed = new Map<string, Shown>()
  const registration = {
    getNotifications: ({ tag }: { tag?: string } = {}) =>
      Promise.resolve([...displayed].filter(([key]) => tag === undefined || key === tag).map(([, shown]) => shown)),
    showNotification(title: string, { tag, ...options }: Omit<Shown, "title" | "close"> & { tag: string }) {
      displayed.set(tag, { title, ...options, close: () => displayed.delete(tag) })
      return Promise.resolve()
    },
  }
  Object.assign(navigator, { serviceWorker: { getRegistration: () => Promise.resolve(registration) } })
  vi.stubGlobal("Notification", { permission })
  return displayed
}

function setForeground(foreground: boolean, change = "visibilitychange") {
  Object.assign(document, { visibilityState: foreground ? "visible" : "hidden" })
  dispatchEvent(new Event(change))
}

async function start() {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 1, { unread: 1 })
  const client = await startClient(server)
  const payloads = (event: string) =>
    server.phoenix
      .framesOf(event)
      .flatMap((frame) => (frame.topic.startsWith("user:") ? [frame.payload as object] : []))
  return { server, kitchen, client, payloads }
}

test("the foreground is reported on joining, on every change and every 30 seconds", async () => {
  const { server, client, payloads } = await start()
  expect(payloads("phx_join")).toEqual([{ foreground: true, last_messages: true, heads: true }])
  setForeground(false)
  Object.assign(document, { visibilityState: "visible", hasFocus: () => false })
  dispatchEvent(new Event("blur"))
  Object.assign(document, { hasFocus: () => true })
  dispatchEvent(new Event("focus"))
  await settle()
  expect(payloads("attention").map((each) => Object.values(each))).toEqual([[false], [false], [true]])
  await pass(30_000)
  expect(payloads("attention")).toHaveLength(4)

  setForeground(false)
  server.phoenix.drop()
  await pass(1_000)
  await eventually(() =>
    expect(payloads("phx_join").at(-1)).toEqual({ foreground: false, last_messages: true, heads: true }),
  )

  await client.stop()
  const count = payloads("attention").length
  await pass(60_000)
  setForeground(true)
  expect(payloads("attention")).toHaveLength(count)
})

test("in the background, a page shows the notification and confirms it", async () => {
  const displayed = installNotifications()
  const { server, payloads } = await start()
  setForeground(false)
  server.pushToUser("notification", payload)
  await eventually(() => expect(payloads("notified")).toEqual([{ conversation_id: "kitchen", seq: 1 }]))
  expect(displayed.get("kitchen")).toMatchObject({ title: "Inga", body: "Buns are ready", silent: false })
})

test("in the foreground, a page shows none and says that none is needed", async () => {
  const displayed = installNotifications()
  const { server, payloads } = await start()
  server.pushToUser("notification", payload)
  await eventually(() => expect(payloads("notified")).toHaveLength(1))
  expect(displayed.size).toBe(0)
})

test("of two background tabs, one shows the notification", async () => {
  const displayed = installNotifications()
  const { server, payloads } = await start()
  await startClient(server)
  setForeground(false)
  const shown = vi.spyOn(displayed, "set")
  server.pushToUser("notification", payload)
  await eventually(() => expect(payloads("notified")).toHaveLength(2))
  expect(shown).toHaveBeenCalledTimes(1)
})

test("without permission, a page confirms nothing, so that the server can push", async () => {
  installNotifications("denied")
  const { server, payloads } = await start()
  setForeground(false)
  server.pushToUser("notification", payload)
  await settle()
  expect(payloads("notified")).toEqual([])
})

test("a notification disappears when the conversation is read on another device", async () => {
  const displayed = installNotifications()
  const { server } = await start()
  setForeground(false)
  server.pushToUser("notification", payload)
  await eventually(() => expect(displayed.size).toBe(1))
  server.pushToUser("unread", { conversation_id: "attic", last_seq: 1, unread: 0 })
  server.pushToUser("unread", { conversation_id: "kitchen", last_seq: 1, unread: 1 })
  await settle()
  expect(displayed.size).toBe(1)
  server.pushToUser("unread", { conversation_id: "kitchen", last_seq: 1, unread: 0 })
  await eventually(() => expect(displayed.size).toBe(0))
})
