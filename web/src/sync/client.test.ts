import { describe, expect, test, vi } from "vitest"

import { Session } from "../session/session"
import { attachment, conversation } from "../models/fixtures"
import { Unreachable } from "../api/http"
import { ChatServer, person, type ServerConversation } from "../testing/chat-server"
import { conversationOf, placesIn, startClient, startDisconnected, useFakeBrowser } from "../testing/client"
import { eventually, pass, settle } from "../testing/clock"
import { problem } from "../testing/http-server"
import { ChatClient } from "./client.svelte"

useFakeBrowser()

async function start() {
  const server = new ChatServer()
  const [kitchen, attic] = [server.add("kitchen", 3), server.add("attic", 3)]
  const client = await startClient(server)
  return { server, kitchen, attic, client }
}

const ids = (client: ChatClient) => client.conversations.map(({ id }) => id).sort()
const listRequests = (server: ChatServer) =>
  server.http.requestsTo("GET /conversations").filter(({ query }) => query === "limit=200")

test("a start loads listed, hidden and archived conversations, and opened ones are joined", async () => {
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 3)
  server.add("attic", 3)
  server.http.on("GET /conversations", ({ query }) => {
    if (query === "limit=200") return { conversations: [kitchen.summary] }
    const attic = { ...server.conversations.get("attic")?.summary, hidden: true }
    return { conversations: query === "limit=200&hidden=true" ? [attic] : [] }
  })
  const client = await startClient(server)
  expect(ids(client)).toEqual(["attic", "kitchen"])
  expect(server.http.requestsTo("GET /conversations").map(({ query }) => query)).toEqual([
    "limit=200",
    "limit=200&hidden=true",
    "limit=200&archived=true",
    "limit=200&hidden=true&archived=true",
  ])
  const last = kitchen.messages.at(-1) ?? expect.fail()
  expect(client.reader.read(last)).toEqual({ kind: "text", text: "message 3" })
})

test("the conversation with the newest message comes first", async () => {
  const { kitchen, attic, client } = await start()
  attic.add({ inserted_at: "2026-11-23T13:00:00Z" })
  expect(client.conversations.map(({ id }) => id)).toEqual(["attic", "kitchen"])
  kitchen.add({ inserted_at: "2026-11-23T14:00:00Z" })
  expect(client.conversations.map(({ id }) => id)).toEqual(["kitchen", "attic"])
})

test("the last state is shown at the next start, before the server responds", async () => {
  const { server, kitchen, client } = await start()
  kitchen.add({ body: "cached" })
  await pass(500)
  expect(placesIn(client)).toEqual([4])
  server.phoenix.reachable = false
  server.http.reachable = false
  const restarted = await startDisconnected(server)
  expect(restarted.ready).toBe(true)
  expect(restarted.connection).not.toBe("open")
  expect(ids(restarted)).toEqual(["attic", "kitchen"])
  expect(placesIn(restarted)).toEqual([4])
  expect(restarted.contacts.people.get("inga")?.username).toBe("inga")
})

test("a page that is hidden stores what it shows at once", async () => {
  const { server, kitchen } = await start()
  await pass(500)
  kitchen.add({ body: "cached" })
  dispatchEvent(new Event("visibilitychange"))
  await settle()
  server.phoenix.reachable = false
  expect(placesIn(await startDisconnected(server))).toEqual([4])
})

test("signing out deletes received messages and keeps unsent ones", async () => {
  const { server, kitchen, client } = await start()
  kitchen.add()
  await pass(500)
  server.phoenix.reachable = false
  server.phoenix.drop()
  await client.send("kitchen", "unsent")
  await client.stop()
  server.http.reachable = false
  const next = await startDisconnected(server)
  expect(next.ready).toBe(false)
  expect(ids(next)).toEqual([])
  expect(next.outbox.map(({ text }) => text)).toEqual(["unsent"])
})

test("a client that is stopped while it starts opens no connection", async () => {
  const server = new ChatServer()
  const client = new ChatClient(Session.start(server.sessionView()))
  const started = client.start()
  await client.stop()
  await started
  await pass(60_000)
  expect(server.phoenix.sockets).toEqual([])
})

test("a list that could not be loaded is requested again after three seconds", async () => {
  const server = new ChatServer()
  server.add("kitchen", 3)
  let failures = 1
  server.http.on("GET /families", () => (failures-- > 0 ? problem(503, "unavailable") : { families: [] }))
  const client = await startDisconnected(server)
  await pass(2_900)
  expect(client.ready).toBe(false)
  await pass(200)
  expect(client.ready).toBe(true)
})

test("a reconnected client loads the list again and removes conversations that no longer exist", async () => {
  const { server, client } = await start()
  server.conversations.delete("attic")
  server.phoenix.handle(/attic/, "phx_join", () => undefined)
  server.add("cellar", 1)
  server.phoenix.drop()
  await pass(1_000)
  expect(ids(client)).toEqual(["cellar", "kitchen"])
  expect(client.removed.get("attic")?.name).toBe("attic")
})

test("a conversation that another user creates appears, and can be opened", async () => {
  const { server, client } = await start()
  const cellar = server.add("cellar", 1)
  server.pushToUser("conversation_created", { conversation: cellar.summary })
  client.open("cellar")
  await eventually(() => expect(conversationOf(client, "cellar").joined).toBe(true))
  await settle()
  expect(listRequests(server)).toHaveLength(1)
})

test("a new member whose name is not known has the contacts loaded again", async () => {
  const { server, kitchen, client } = await start()
  const members = [...kitchen.summary.members, { user_id: "oskar", role: "member" }]
  server.http.on("GET /people", () => ({ people: ["maja", "inga", "nils", "oskar"].map(person) }))
  server.pushToUser("conversation_updated", { conversation: { ...kitchen.summary, members } })
  await eventually(() => expect(client.contacts.people.get("oskar")?.username).toBe("oskar"))
})

test("a role that changes in a family is loaded again", async () => {
  const { server, client } = await start()
  server.http.on("GET /families", () => ({ families: [{ id: "sundqvist", name: "Sundqvist", role: "member" }] }))
  server.http.on("GET /families/:id/members", () => ({ members: [{ ...person("inga"), role: "child" }] }))
  server.pushToUser("family_updated", { family_id: "sundqvist" })
  await eventually(() => expect(client.contacts.families[0]?.role).toBe("member"))
  expect(client.contacts.membersByFamily.get("sundqvist")?.[0]?.role).toBe("child")
})

test("a removed member makes the client load the contacts again", async () => {
  const { server, kitchen, client } = await start()
  const members = kitchen.summary.members.filter(({ user_id }) => user_id !== "nils")
  server.http.on("GET /people", () => ({ people: ["maja", "inga"].map(person) }))
  for (const { id } of client.conversations) server.add(id, 3, { members })
  server.pushToUser("conversation_updated", { conversation: { ...kitchen.summary, members } })
  await eventually(() => expect(client.contacts.people.has("nils")).toBe(false))
})

test("a renamed conversation shows its new name", async () => {
  const { server, kitchen, client } = await start()
  server.pushToUser("conversation_updated", { conversation: { ...kitchen.summary, name: "Cooking" } })
  expect(client.summary("kitchen")?.name).toBe("Cooking")
})

test("a removed user loses the conversation and keeps the unsent messages", async () => {
  const { server, client } = await start()
  server.phoenix.handle(/^message:/, "new_msg", () => undefined)
  await client.send("kitchen", "unsent")
  client.saveDraft("kitchen", "half a sen", "Kitchen")
  server.pushToUser("conversation_left", { conversation_id: "kitchen" })
  await eventually(() => expect(client.outbox[0]?.refused).toBe("not_found"))
  expect(ids(client)).toEqual(["attic"])
  expect(client.conversation("kitchen")).toBeUndefined()
  expect(client.unsentInRemoved).toEqual([{ id: "kitchen", name: "kitchen" }])
  expect(server.phoenix.framesOf("phx_leave").map(({ topic }) => topic)).toEqual(["message:group:kitchen"])
  await client.discardAll("kitchen")
  expect(client.unsentInRemoved).toEqual([])
  expect(client.outbox).toEqual([])
})

test("an unknown conversation that the user leaves elsewhere changes nothing", async () => {
  const { server, client } = await start()
  server.pushToUser("conversation_left", { conversation_id: "cellar" })
  expect(client.removed.size).toBe(0)
  expect(ids(client)).toEqual(["attic", "kitchen"])
})

test("a conversation that the user returns to is no longer among the removed ones", async () => {
  const { server, kitchen, client } = await start()
  server.pushToUser("conversation_left", { conversation_id: "kitchen" })
  expect(client.removed.has("kitchen")).toBe(true)
  server.pushToUser("conversation_created", { conversation: kitchen.summary })
  client.open("kitchen")
  await eventually(() => expect(conversationOf(client).joined).toBe(true))
  expect(client.removed.has("kitchen")).toBe(false)
})

test("a user who leaves a group gets no notice of the removal", async () => {
  const { server, client } = await start()
  server.http.on("DELETE /conversations/kitchen/members/maja", () => new Response(null, { status: 204 }))
  await client.leave("kitchen")
  expect(ids(client)).toEqual(["attic"])
  expect(client.removed.size).toBe(0)
})

test("a user whom the server does not let leave stays, and is told of a later removal", async () => {
  const { server, client } = await start()
  server.http.on("DELETE /conversations/kitchen/members/maja", () => problem(409, "last_admin"))
  await expect(client.leave("kitchen")).rejects.toMatchObject({ code: "last_admin" })
  expect(ids(client)).toEqual(["attic", "kitchen"])
  server.pushToUser("conversation_left", { conversation_id: "kitchen" })
  expect(client.removed.has("kitchen")).toBe(true)
})

test("unread counts come live, and an unknown conversation has the list loaded again", async () => {
  const { server, client } = await start()
  server.pushToUser("unread", { conversation_id: "kitchen", unread: 7 })
  expect(client.summary("kitchen")?.unread).toBe(7)
  server.add("cellar", 1)
  server.pushToUser("unread", { conversation_id: "cellar", unread: 1 })
  await eventually(() => expect(ids(client)).toEqual(["attic", "cellar", "kitchen"]))
})

test("one's own messages are not the latest message of another user", async () => {
  const { kitchen, client } = await start()
  kitchen.add({ user_id: "maja" })
  expect(client.latestMessage).toBeUndefined()
  kitchen.add({ user_id: "inga" })
  await pass(20) // a frame
  expect(client.latestMessage?.user_id).toBe("inga")
})

test("a person who changes is shown with the new name, also after a restart", async () => {
  const { server, client } = await start()
  server.pushToUser("person_updated", { person: { ...person("inga"), display_name: "Inga S." } })
  expect(client.contacts.people.get("inga")?.display_name).toBe("Inga S.")
  expect(client.contacts.membersByFamily.get("sundqvist")?.[0]).toMatchObject({
    display_name: "Inga S.",
    role: "member",
  })
  await pass(500)
  server.http.reachable = false
  const restarted = await startDisconnected(server)
  expect(restarted.contacts.people.get("inga")?.display_name).toBe("Inga S.")
})

test("a draft is kept until its message is sent", async () => {
  const { client } = await start()
  client.saveDraft("kitchen", "half a sen", "Kitchen")
  expect(client.drafts.get("kitchen")).toEqual({ text: "half a sen", name: "Kitchen" })
  await client.send("kitchen", "half a sentence")
  expect(client.drafts.get("kitchen")).toBeUndefined()
})

test("a conversation is started, updated and shown as the server responds", async () => {
  const { server, client } = await start()
  server.add("cellar", 0)
  server.http.on("POST /conversations/group", () => conversation("cellar"))
  server.http.on("PATCH /conversations/cellar/name", () => conversation("cellar", { name: "Wine" }))
  expect((await client.startConversation("group", { name: "Cellar" })).id).toBe("cellar")
  expect(server.http.requestsTo("POST /conversations/group")[0]?.body).toEqual({ name: "Cellar" })
  client.open("cellar")
  await eventually(() => expect(conversationOf(client, "cellar").joined).toBe(true))
  await client.updateConversation("PATCH", "cellar/name", { name: "Wine" })
  expect(client.summary("cellar")?.name).toBe("Wine")
})

test("an invitation link leads to this server", async () => {
  const { server, client } = await start()
  server.http.on("POST /families/sundqvist/invites", () => ({
    token: "t0ken",
    url: "https://chat.example/#/invite/t0ken",
  }))
  expect(await client.invite("sundqvist", "child")).toContain("t0ken")
  expect(server.http.requestsTo("POST /families/sundqvist/invites")[0]?.body).toEqual({ role: "child" })
})

test("a member is removed from a group", async () => {
  const { server, client } = await start()
  server.http.on("DELETE /conversations/kitchen/members/nils", () => new Response(null, { status: 204 }))
  await client.remove("kitchen", "nils")
  expect(server.http.requestsTo("DELETE /conversations/kitchen/members/nils")).toHaveLength(1)
})

describe("a photo that was viewed", () => {
  const photo = { ...attachment, thumbnail: true }
  const load = async (client: ChatClient, kitchen: ServerConversation) =>
    await (await client.media.load(kitchen.messages.at(-1)!, photo, "thumbnail")).text()

  async function viewed() {
    const { server, kitchen, client } = await start()
    const urls = { file: "/files/a", thumbnail: "/files/t", expires_at: "", expires_in: 300 }
    server.http.on("GET /attachments/a/address", () => urls)
    server.http.on("GET /files/t", () => new Response("bytes"))
    kitchen.add({ attachments: [photo] })
    expect(await load(client, kitchen)).toBe("bytes")
    return { server, kitchen, client }
  }

  test("is available offline after a restart, and downloaded once", async () => {
    const { server, kitchen } = await viewed()
    server.phoenix.reachable = server.http.reachable = false
    expect(await load(await startDisconnected(server), kitchen)).toBe("bytes")
    expect(server.http.requestsTo("GET /files/t")).toHaveLength(1)
  })

  test("is deleted from the device with its message", async () => {
    const { server, kitchen, client } = await viewed()
    kitchen.change(kitchen.messages.length, { deleted_at: "2026-11-23T12:00:00Z", attachments: [] })
    await settle()
    server.http.reachable = false
    await expect(load(client, kitchen)).rejects.toBeInstanceOf(Unreachable)
  })

  test("is deleted from the device when the user leaves the conversation", async () => {
    const { server, kitchen, client } = await viewed()
    server.pushToUser("conversation_left", { conversation_id: "kitchen" })
    await settle()
    server.http.reachable = false
    await expect(load(client, kitchen)).rejects.toBeInstanceOf(Unreachable)
  })

  test("is deleted from the device at sign-out", async () => {
    const { server, kitchen, client } = await viewed()
    await client.stop()
    server.phoenix.reachable = server.http.reachable = false
    await expect(load(await startDisconnected(server), kitchen)).rejects.toBeInstanceOf(Unreachable)
  })

  test("is loaded once, although two bubbles show it", async () => {
    const { server, kitchen, client } = await viewed()
    server.http.on("GET /files/a", () => new Response("large"))
    const both = [1, 2].map(() => client.media.load(kitchen.messages.at(-1)!, photo, "file"))
    expect((await Promise.all(both)).map(({ size }) => size)).toEqual([5, 5])
    expect(server.http.requestsTo("GET /files/a")).toHaveLength(1)
  })
})

test("a browser that stores nothing is reported, and messages are sent all the same", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined)
  const refuse = () => {
    throw new DOMException("no", "SecurityError")
  }
  vi.stubGlobal("indexedDB", { open: refuse, deleteDatabase: refuse })
  const server = new ChatServer()
  const kitchen = server.add("kitchen", 3)
  const client = await startClient(server)
  expect(client.durable).toBe(false)
  await client.send("kitchen", "Dinner!")
  await eventually(() => expect(kitchen.messages.at(-1)?.body).toBe("Dinner!"))
  expect(client.outbox).toEqual([])
})

const agreement = (userId: string) => ({
  user_id: userId,
  family_id: "sundqvist",
  asked_by_id: "inga",
  agreed_by_id: null,
  expires_at: "2026-11-23T13:00:00Z",
})

test("a user learns that admins want to reset the password until it is cancelled or a link exists", async () => {
  const { server, client } = await start()
  const mine = agreement(client.me.id)
  const update = (about: object | null) =>
    server.pushToUser("reset_agreement_updated", { family_id: "sundqvist", user_id: client.me.id, agreement: about })
  update(mine)
  expect(client.resetAgreement).toEqual(mine)
  update(null)
  expect(client.resetAgreement).toBeNull()
  update(mine)
  const link = { by_name: "inga", expires_at: "2026-11-23T13:00:00Z" }
  server.pushToUser("reset_link_created", link)
  expect(client.resetAgreement).toBeNull()
  expect(client.resetLink).toEqual(link)
})

test("a request about someone else is only a reason for admins to reload the requests", async () => {
  const { server, client } = await start()
  server.pushToUser("reset_agreement_updated", {
    family_id: "sundqvist",
    user_id: "nils",
    agreement: agreement("nils"),
  })
  expect(client.resetAgreement).toBeNull()
  expect(client.resetChanges).toBe(1)
})

test("a device that connects later reads in the reply to its join that admins want to reset the password", async () => {
  const server = new ChatServer()
  server.phoenix.handle(/^user:/, "phx_join", () => ({ reset_agreement: agreement("maja") }))
  const client = await startClient(server)
  expect(client.resetAgreement?.asked_by_id).toBe("inga")
})
