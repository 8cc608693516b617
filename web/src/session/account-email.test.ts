import { expect, test } from "vitest"

import { ChatServer } from "../testing/chat-server"
import { startClient, useFakeBrowser } from "../testing/client"
import { Account } from "./account"

useFakeBrowser()

async function accountOf(setup: object, me: object) {
  const server = new ChatServer()
  server.http.on("GET /setup", () => setup)
  server.http.on("GET /me", () => me)
  return { server, account: new Account((await startClient(server)).session) }
}

test("the email address is shown only if the server sends email", async () => {
  const me = { email: "maja@example.org", confirmed_at: null }
  const { account } = await accountOf({ email: true }, me)
  expect(await account.emailStatus()).toEqual({ email: "maja@example.org", confirmed: false })
  const confirmed = await accountOf({ email: true }, { ...me, confirmed_at: "2026-11-23T13:00:00Z" })
  expect((await confirmed.account.emailStatus())?.confirmed).toBe(true)
  const without = await accountOf({ email: true }, { email: null, confirmed_at: null })
  expect(await without.account.emailStatus()).toEqual({ email: null, confirmed: false })
  expect(await (await accountOf({ email: false }, me)).account.emailStatus()).toBeUndefined()
  expect(await (await accountOf({}, me)).account.emailStatus()).toBeUndefined() // an older server
})

test("the email address is changed and removed with the password", async () => {
  const { server, account } = await accountOf({ email: true }, {})
  server.http.on("PUT /me/email", () => ({}))
  await account.changeEmail("maja@example.org", "secret")
  await account.changeEmail(null, "secret")
  expect(server.http.requestsTo("PUT /me/email").map(({ body }) => body)).toEqual([
    { email: "maja@example.org", current_password: "secret" },
    { email: null, current_password: "secret" },
  ])
})

test("a confirmation is sent in the language of the interface, and a reset is cancelled", async () => {
  const { server, account } = await accountOf({ email: true }, {})
  server.http.on("POST /me/email/confirmation", () => ({}))
  server.http.on("DELETE /me/password-reset", () => ({}))
  await account.sendEmailConfirmation("ja")
  await account.cancelReset()
  const [sent] = server.http.requestsTo("POST /me/email/confirmation")
  expect(sent?.body).toEqual({ language: "ja" })
  expect(server.http.requestsTo("DELETE /me/password-reset")).toHaveLength(1)
})
