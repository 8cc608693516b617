import { hexToBytes as bytes } from "@noble/hashes/utils.js"
import { expect, test } from "vitest"

import { decryptBody, encryptBody, isSignedBy, MAX_CONTENT_SIZE } from "./body"
import { fromBase64url, toBase64url } from "./bytes"
import type { BodyContext } from "./derivations"
import { encryptRecord } from "./rfc8188"
import { bodyKey } from "./derivations"
import { randomBytes, signatureKeyPair, utf8ToBytes } from "./suite"
import vectors from "./vectors/derivations.json"

const context: BodyContext = {
  kind: "message",
  conversationId: "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f20",
  generation: 0,
  epoch: 4,
  userId: "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f11",
  deviceId: "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f15",
  subject: "00112233445566778899aabbccddeeff",
}
const epochKey = randomBytes(32)
const device = signatureKeyPair(randomBytes(32))
const hello = utf8ToBytes('{"v":1,"text":"Hello"}')

test.each(vectors.bodies)("the body of a $kind that another implementation encrypted", (vector) => {
  const own: BodyContext = {
    kind: vector.kind as BodyContext["kind"],
    conversationId: vector.conversation_id,
    generation: vector.generation,
    epoch: vector.epoch,
    userId: vector.user_id,
    deviceId: vector.device_id,
    subject: vector.subject,
  }
  const body = decryptBody(bytes(vector.epoch_key), own, vector.body)
  expect(new TextDecoder().decode(body.content)).toBe(vector.content)
  expect(isSignedBy(bytes(vector.signature_key), own, body)).toBe(true)
  // Apart from the salt, encrypting is deterministic.
  const again = encryptBody(bytes(vector.epoch_key), own, bytes(vector.signature_seed), body.content)
  expect(again.length).toBe(vector.body.length)
  expect(decryptBody(bytes(vector.epoch_key), own, again)).toEqual(body)
})

test("a body cannot be moved to another place, epoch or generation", () => {
  const body = encryptBody(epochKey, context, device.privateKey, hello)
  expect(decryptBody(epochKey, context, body).content).toEqual(hello)
  expect(() => decryptBody(randomBytes(32), context, body)).toThrow()
  for (const change of [
    { subject: "c" },
    { userId: "nils" },
    { epoch: 5 },
    { generation: 1 },
    { kind: "edit" as const },
  ]) {
    expect(() => decryptBody(epochKey, { ...context, ...change }, body)).toThrow()
  }
})

test("a member who knows the epoch key cannot write in the name of another", () => {
  const forger = signatureKeyPair(randomBytes(32))
  const forged = decryptBody(epochKey, context, encryptBody(epochKey, context, forger.privateKey, hello))
  expect(isSignedBy(device.publicKey, context, forged)).toBe(false)
  const honest = decryptBody(epochKey, context, encryptBody(epochKey, context, device.privateKey, hello))
  expect(isSignedBy(device.publicKey, { ...context, subject: "c" }, honest)).toBe(false)
  expect(isSignedBy(device.publicKey, context, { ...honest, content: utf8ToBytes("{}") })).toBe(false)
})

test("bodies are padded, and the largest stays below 64 KiB", () => {
  const size = (content: number) => encryptBody(epochKey, context, device.privateKey, new Uint8Array(content)).length
  expect(size(0)).toBe(size(191))
  expect(size(192)).toBe(size(447))
  expect(size(220)).toBe(732)
  expect(size(4096)).toBe(size(4096 + 4000))
  expect(size(MAX_CONTENT_SIZE)).toBeLessThan(64 * 1024)
  expect(() => size(MAX_CONTENT_SIZE + 1)).toThrow("too large")
})

test("a body without a complete signature, or in another encoding, is refused", () => {
  const short = toBase64url(encryptRecord(bodyKey(epochKey, context), new Uint8Array(63), 256))
  expect(() => decryptBody(epochKey, context, short)).toThrow("no signature")
  const body = encryptBody(epochKey, context, device.privateKey, hello)
  expect(() => decryptBody(epochKey, context, `${body}=`)).toThrow("base64url")
  expect(fromBase64url(body).length).toBe(21 + 256 + 16)
})
