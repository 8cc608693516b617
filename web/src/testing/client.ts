/** Starts chat clients against a server in memory, and stops them after each test. */
import { afterEach, beforeEach, expect, vi } from "vitest"

import { Session } from "../session/session"
import { ChatClient } from "../sync/client.svelte"
import type { Conversation } from "../sync/conversation.svelte"
import { installBrowser } from "./browser"
import { ChatServer } from "./chat-server"
import { eventually, installClock, settle } from "./clock"

const clients: ChatClient[] = []

/** Gives each test of a file a fresh browser, a fake clock, and no jitter in retry delays. */
export function useFakeBrowser(): void {
  beforeEach(() => {
    installBrowser()
    installClock()
    vi.spyOn(Math, "random").mockReturnValue(0.5)
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.stop()))
    await settle()
    vi.useRealTimers()
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
  })
}

/** Starts a signed-in client, opens every conversation of the server, and waits until they are joined. */
export async function startClient(server: ChatServer): Promise<ChatClient> {
  const client = await startDisconnected(server)
  await eventually(() => expect(client.ready).toBe(true))
  for (const { id } of client.conversations) client.open(id)
  await eventually(() => {
    for (const { id } of client.conversations) expect(client.conversation(id)?.joined).toBe(true)
  })
  return client
}

/** Starts a signed-in client, and does not wait for the server. */
export async function startDisconnected(server: ChatServer): Promise<ChatClient> {
  const session = Session.restore() ?? Session.start(server.sessionView())
  const client = new ChatClient(session)
  clients.push(client)
  await client.start()
  return client
}

/** The conversation with this ID; fails the test if the client does not have it. */
export function conversationOf(client: ChatClient, id = "kitchen"): Conversation {
  return client.conversation(id) ?? expect.fail(`the client has no conversation ${id}`)
}

/** The places of the messages in a conversation's newest part. */
export function placesIn(client: ChatClient, id = "kitchen"): readonly number[] {
  return conversationOf(client, id).timeline.messages.map(({ seq }) => seq)
}
