import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { HttpServer } from "../testing/http-server"
import { createPasskey, PasskeyFailed, signInWithPasskey } from "./passkeys"

/** A credential as browsers serialize it, with the results of the extensions `prf` and `largeBlob`. */
const credential = {
  toJSON: () => ({
    id: "AQ",
    rawId: "AQ",
    type: "public-key",
    response: { clientDataJSON: "e30" },
    clientExtensionResults: { prf: { results: { first: "c2VjcmV0" } }, largeBlob: { blob: "c2VjcmV0" } },
  }),
}

let http: HttpServer

beforeEach(() => {
  http = new HttpServer()
  http.install()
  vi.stubGlobal("location", new URL("https://chat.example/"))
  vi.stubGlobal("PublicKeyCredential", {
    parseCreationOptionsFromJSON: (options: object) => options,
    parseRequestOptionsFromJSON: (options: object) => options,
  })
  const credentials = { create: async () => credential, get: async () => credential }
  vi.stubGlobal("navigator", { credentials, userAgent: "", language: "en" })
  vi.stubGlobal("matchMedia", () => ({ matches: false }))
  vi.stubGlobal("screen", { width: 1920, height: 1080 })
  http.on("POST /me/passkeys/options", () => ({ options: {} }))
  http.on("POST /sessions/passkey/options", () => ({ options: {} }))
  http.on("POST /me/passkeys", () => ({}))
  http.on("POST /sessions/passkey", () => ({}))
})
afterEach(() => vi.unstubAllGlobals())

test("no request contains the secret that a passkey derives for this site", async () => {
  await createPasskey("token", "password")
  await signInWithPasskey()
  expect(http.requestsTo("POST /me/passkeys").length).toBe(1)
  expect(http.requestsTo("POST /sessions/passkey")[0]?.body).toMatchObject({
    credential: { id: "AQ", response: { clientDataJSON: "e30" }, clientExtensionResults: {} },
  })
  expect(JSON.stringify(http.requests)).not.toContain("c2VjcmV0")
})

test("a cancelled dialog posts nothing", async () => {
  vi.stubGlobal("navigator", {
    credentials: { get: async () => Promise.reject(new DOMException("", "NotAllowedError")) },
  })
  await expect(signInWithPasskey()).rejects.toThrow(PasskeyFailed)
  expect(http.requestsTo("POST /sessions/passkey")).toEqual([])
})
