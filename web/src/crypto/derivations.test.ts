import { hexToBytes as bytes, bytesToHex as hex } from "@noble/hashes/utils.js"
import { expect, test } from "vitest"

import { accountKeys, bodyKey, certificateInput, mlsGroupId, type BodyContext } from "./derivations"
import { hpkeOpen, sign } from "./suite"
// Made by a Python program. tests/e2ee/test_derivations.py verifies the same file.
import vectors from "./vectors/derivations.json"

const context: BodyContext = {
  kind: "message",
  conversationId: "kitchen",
  generation: 0,
  epoch: 1,
  userId: "inga",
  deviceId: "tablet",
  subject: "c1",
}

test("account keys are derived from the seed", () => {
  const { signature, hpke } = accountKeys(bytes(vectors.account.seed))
  expect(hex(signature.publicKey)).toBe(vectors.account.public_key)
  expect(hex(hpke.publicKey)).toBe(vectors.account.hpke_key)
})

test("the account key signs the keys of a device", () => {
  const { device } = vectors
  const input = certificateInput(
    {
      userId: device.user_id,
      deviceId: device.device_id,
      signatureKey: bytes(device.signature_key),
      hpkeKey: bytes(device.hpke_key),
    },
    device.account_version,
  )
  const { privateKey } = accountKeys(bytes(vectors.account.seed)).signature
  expect(hex(sign(privateKey, input))).toBe(device.certificate)
})

test("the id of an MLS group is derived from its conversation and generation", () => {
  const { conversation_id, generation, group_id } = vectors.group
  expect(hex(mlsGroupId(conversation_id, generation))).toBe(group_id)
})

test("HPKE decrypts what another implementation encrypted", () => {
  const { private_key, info, enc, ct, plaintext } = vectors.hpke
  expect(hex(hpkeOpen(bytes(private_key), bytes(info), { enc: bytes(enc), ct: bytes(ct) }))).toBe(plaintext)
})

test("each field of the context changes the key, also if a boundary between two fields moves", () => {
  const epochKey = new Uint8Array(32)
  const changed: readonly Partial<BodyContext>[] = [
    {},
    { kind: "edit" },
    { conversationId: "hall" },
    { generation: 1 },
    { epoch: 2 },
    { userId: "nils" },
    { deviceId: "phone" },
    { subject: "c2" },
    { userId: "ingat", deviceId: "ablet" },
    { generation: 1, epoch: 0 },
  ]
  const keys = changed.map((change) => hex(bodyKey(epochKey, { ...context, ...change })))
  expect(new Set(keys).size).toBe(keys.length)
})
