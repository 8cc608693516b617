// @vitest-environment happy-dom
/** The page after a session has ended: the sign-in form, once the data is deleted. */
import { mount, unmount } from "svelte"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { Session } from "../session/session"
import { ChatClient } from "../sync/client.svelte"
import { storageChanged } from "../testing/browser"
import { useFakeBrowser } from "../testing/client"
import { ChatServer } from "../testing/chat-server"
import { eventually, pass, settle } from "../testing/clock"
import Famichat from "./Famichat.svelte"

useFakeBrowser()

let mounted: object
let deleted: () => void

beforeEach(async () => {
  vi.stubGlobal("isSecureContext", false) // no passkeys
  const server = new ChatServer()
  server.add("kitchen", 1)
  Session.start(server.sessionView())
  const stop = vi.spyOn(ChatClient.prototype, "stop")
  stop.mockReturnValue(new Promise((resolve) => (deleted = resolve)))
  mounted = mount(Famichat, { target: document.body })
  await eventually(() => expect(document.querySelector("h1")?.textContent).toBe("Chats"))
  localStorage.removeItem("famichat.session")
  storageChanged("famichat.session")
  await settle()
  expect(document.querySelector("h1")).toBeNull()
  expect(stop).toHaveBeenCalledOnce()
})

afterEach(async () => {
  await unmount(mounted)
  document.body.innerHTML = ""
})

const form = () => document.querySelector("form")

test("the sign-in form appears when the data of the former user is deleted", async () => {
  await pass(1_000)
  expect(form()).toBeNull()
  deleted()
  await settle()
  expect(form()).not.toBeNull()
})

test("a deletion that never ends does not keep the sign-in form away", async () => {
  await pass(6_000)
  expect(form()).not.toBeNull()
})
