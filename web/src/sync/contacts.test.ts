import { beforeEach, expect, test } from "vitest"

import { conversation } from "../models/fixtures"
import { LocalDatabase } from "../device/database"
import { OfflineCache } from "../device/offline-cache"
import { Session } from "../session/session"
import { ChatServer, person } from "../testing/chat-server"
import { useFakeBrowser } from "../testing/client"
import { problem } from "../testing/http-server"
import { Contacts } from "./contacts.svelte"

useFakeBrowser()

let server: ChatServer
let contacts: Contacts
let cache: OfflineCache

beforeEach(() => {
  server = new ChatServer()
  const database = new LocalDatabase("maja", () => undefined)
  cache = new OfflineCache(database)
  contacts = new Contacts(Session.start(server.sessionView()), database, cache)
})

const names = () => [...contacts.people.keys()].sort()

test("before the server responds the user knows only the own name", () => {
  expect(names()).toEqual(["maja"])
  expect(contacts.families).toEqual([])
})

test("a refresh loads families, their members and all people, and stores them on the device", async () => {
  await contacts.refresh(() => [])
  expect(contacts.families.map(({ id }) => id)).toEqual(["sundqvist"])
  expect(contacts.membersByFamily.get("sundqvist")?.map(({ user_id }) => user_id)).toEqual(["inga"])
  expect(names()).toEqual(["inga", "maja", "nils"])
  const { contacts: stored } = await cache.load()
  expect(stored?.people?.map(({ user_id }) => user_id).sort()).toEqual(["inga", "maja", "nils"])
})

test("a person whom the server no longer lists stays known while in a conversation", async () => {
  await contacts.refresh(() => [])
  server.http.on("GET /people", () => ({ people: [person("maja")] }))
  await contacts.refresh(() => [conversation("kitchen", { members: [{ user_id: "nils", role: "member" }] })])
  expect(names()).toEqual(["maja", "nils"])
})

test("a refresh that fails changes nothing", async () => {
  await contacts.refresh(() => [])
  server.http.on("GET /families/:id/members", () => problem(503, "unavailable"))
  server.http.on("GET /people", () => ({ people: [] }))
  await expect(contacts.refresh(() => [])).rejects.toMatchObject({ code: "unavailable" })
  expect(names()).toEqual(["inga", "maja", "nils"])
})

test("contacts that an older version stored without people are restored from the families", () => {
  const members = [{ ...person("oskar"), role: "member" as const, joined_at: "2026-11-01T00:00:00Z" }]
  contacts.restore({ families: [], households: [["sundqvist", members]] })
  expect(contacts.people.get("oskar")?.username).toBe("oskar")
})
