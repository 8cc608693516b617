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

test("no one is shown as a former member before the list of people has loaded", async () => {
  expect(contacts.isFormer("inga")).toBe(false)
  await contacts.refresh(() => [])
  expect(contacts.isFormer("inga")).toBe(false)
  expect(contacts.isFormer("gone")).toBe(true)
})

test("a new member whose profile has not loaded is not a former member", async () => {
  await contacts.refresh(() => [])
  contacts.expect(conversation("kitchen", { members: [{ user_id: "newcomer", role: "member" }] }).members)
  expect(contacts.isFormer("newcomer")).toBe(false)
  server.http.on("GET /people", () => ({ people: ["maja", "newcomer"].map(person) }))
  await contacts.refresh(() => [])
  expect(contacts.isFormer("newcomer")).toBe(false)
  expect(contacts.people.has("newcomer")).toBe(true)
})

test("a profile that changes during a refresh is not replaced by the older one that the refresh loaded", async () => {
  const picture = "/api/v1/people/inga/pictures/1"
  const removed = { ...person("inga"), picture: null }
  const older = { ...person("inga"), picture }
  server.http.on("GET /people", () => ({ people: [person("maja"), older] }))
  server.http.on("GET /families/:id/members", async () => {
    await contacts.updatePerson(removed)
    return { members: [{ ...older, role: "member", joined_at: "2026-11-01T00:00:00Z" }] }
  })
  await contacts.refresh(() => [])
  expect(contacts.people.get("inga")?.picture).toBeNull()
  expect(contacts.membersByFamily.get("sundqvist")?.[0]?.picture).toBeNull()
  const { contacts: stored } = await cache.load()
  expect(stored?.people?.find(({ user_id }) => user_id === "inga")?.picture).toBeNull()
})
