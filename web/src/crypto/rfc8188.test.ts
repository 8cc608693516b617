import { expect, test } from "vitest"

import { fromBase64url } from "./bytes"
import { decrypt, encryptRecord } from "./rfc8188"
import { aeadEncrypt, hkdfExpand, hkdfExtract, randomBytes, utf8ToBytes } from "./suite"

const WALRUS = utf8ToBytes("I am the walrus")
const IKM = fromBase64url("yqdlZ-tYemfogSmv7Ws5PQ")

test("the vector of RFC 8188, 3.1: one record", () => {
  const message = fromBase64url("I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg")
  expect(decrypt(IKM, message)).toEqual(WALRUS)
  // The same record with the smallest record size.
  const record = encryptRecord(IKM, WALRUS, WALRUS.length + 1, message.subarray(0, 16))
  expect(record.subarray(21)).toEqual(message.subarray(21))
})

test("the vector of RFC 8188, 3.2: two records, padding and a key id", () => {
  const message = fromBase64url(
    "uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA",
  )
  expect(decrypt(fromBase64url("BO3ZVPxUlnLORbVGMpbT1Q"), message)).toEqual(WALRUS)
  const withoutTheLastRecord = message.subarray(0, 23 + 25)
  expect(() => decrypt(fromBase64url("BO3ZVPxUlnLORbVGMpbT1Q"), withoutTheLastRecord)).toThrow("wrong delimiter")
})

test("all texts that fit are padded to the same size", () => {
  for (const length of [0, 1, 254, 255]) {
    const text = randomBytes(length)
    const message = encryptRecord(IKM, text, 256)
    expect(message.length).toBe(21 + 256 + 16)
    expect(decrypt(IKM, message)).toEqual(text)
  }
  expect(() => encryptRecord(IKM, randomBytes(257), 256)).toThrow()
})

test("each truncated or changed message is refused", () => {
  const message = encryptRecord(IKM, WALRUS, 32)
  for (let at = 0; at < message.length; at++) {
    expect(() => decrypt(IKM, message.subarray(0, at))).toThrow()
    const isRecordSize = at >= 16 && at < 20 // A larger record size means the same for a message of one record.
    if (isRecordSize) continue
    expect(() =>
      decrypt(
        IKM,
        message.map((byte, index) => (index === at ? byte ^ 1 : byte)),
      ),
    ).toThrow()
  }
  expect(() => decrypt(randomBytes(16), message)).toThrow()
})

test("a record without a delimiter is refused", () => {
  const salt = new Uint8Array(16)
  const prk = hkdfExtract(salt, IKM)
  const key = hkdfExpand(prk, utf8ToBytes("Content-Encoding: aes128gcm\0"), 16)
  const nonce = hkdfExpand(prk, utf8ToBytes("Content-Encoding: nonce\0"), 12)
  const zeros = aeadEncrypt(key, nonce, new Uint8Array(8))
  expect(() => decrypt(IKM, Uint8Array.of(...salt, 0, 0, 0, 24, 0, ...zeros))).toThrow("wrong delimiter")
})
