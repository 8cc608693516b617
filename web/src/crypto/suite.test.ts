import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { expect, test } from "vitest"

import { equalInConstantTime, hpkeOpen, hpkeSeal, randomBytes, sign, signatureKeyPair, suite, verify } from "./suite"

// RFC 9180, appendix A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode.
const INFO = hexToBytes("4f6465206f6e2061204772656369616e2055726e")
const EPHEMERAL_IKM = hexToBytes("7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234")
const RECIPIENT_IKM = hexToBytes("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037")
const PLAINTEXT = hexToBytes("4265617574792069732074727574682c20747275746820626561757479")
const AAD = hexToBytes("436f756e742d30")
const ENC = "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
const CT = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"

async function derived(ikm: Uint8Array) {
  const { hpke } = suite
  const { privateKey, publicKey } = await hpke.deriveKeyPair(ikm)
  return { privateKey: await hpke.exportPrivateKey(privateKey), publicKey: await hpke.exportPublicKey(publicKey) }
}

test("the vectors of RFC 9180, A.1.1: keys and the first ciphertext", async () => {
  const [ephemeral, recipient] = [await derived(EPHEMERAL_IKM), await derived(RECIPIENT_IKM)]
  expect(bytesToHex(ephemeral.privateKey)).toBe("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
  expect(bytesToHex(recipient.privateKey)).toBe("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
  expect(bytesToHex(recipient.publicKey)).toBe("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
  const sealed = hpkeSeal(recipient.publicKey, INFO, PLAINTEXT, AAD, ephemeral)
  expect([bytesToHex(sealed.enc), bytesToHex(sealed.ct)]).toEqual([ENC, CT])
  expect(hpkeOpen(recipient.privateKey, INFO, sealed, AAD)).toEqual(PLAINTEXT)
})

test("the vectors of RFC 9180, A.1.1: exported secrets", async () => {
  const { hpke } = suite
  const { privateKey } = await hpke.deriveKeyPair(RECIPIENT_IKM)
  const exported = async (context: string) =>
    bytesToHex(await hpke.importSecret(privateKey, hexToBytes(context), hexToBytes(ENC), 32, INFO))
  expect(await exported("")).toBe("3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee")
  expect(await exported("00")).toBe("2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5")
  expect(await exported("54657374436f6e74657874")).toBe(
    "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931",
  )
})

test("an exported secret is the same for sender and recipient", async () => {
  const { hpke } = suite
  const { privateKey, publicKey } = await hpke.generateKeyPair()
  const { enc, secret } = await hpke.exportSecret(publicKey, AAD, 32, INFO)
  expect(await hpke.importSecret(privateKey, AAD, enc, 32, INFO)).toEqual(secret)
})

test("a ciphertext for another key, purpose or AAD, or of a zero point, is refused", async () => {
  const recipient = await derived(RECIPIENT_IKM)
  const sealed = hpkeSeal(recipient.publicKey, INFO, PLAINTEXT, AAD)
  expect(() => hpkeOpen(EPHEMERAL_IKM, INFO, sealed, AAD)).toThrow()
  expect(() => hpkeOpen(recipient.privateKey, AAD, sealed, AAD)).toThrow()
  expect(() => hpkeOpen(recipient.privateKey, INFO, sealed)).toThrow()
  expect(() => hpkeOpen(recipient.privateKey, INFO, { ...sealed, enc: new Uint8Array(32) }, AAD)).toThrow()
  expect(() => hpkeSeal(new Uint8Array(32), INFO, PLAINTEXT)).toThrow()
})

test("the vectors of RFC 8032, 7.1: a signature over one byte", () => {
  const { privateKey, publicKey } = signatureKeyPair(
    hexToBytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
  )
  expect(bytesToHex(publicKey)).toBe("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
  const signature = sign(privateKey, Uint8Array.of(0x72))
  expect(bytesToHex(signature)).toBe(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  )
  expect(verify(publicKey, Uint8Array.of(0x72), signature)).toBe(true)
  expect(verify(publicKey, Uint8Array.of(0x73), signature)).toBe(false)
  expect(verify(publicKey, Uint8Array.of(0x72), signature.subarray(1))).toBe(false)
})

test("signatures are verified strictly", () => {
  // The point of order 1 as key and R, and S = 0: valid for every message by ZIP 215, and refused by strict verifiers.
  const identity = Uint8Array.of(1, ...new Uint8Array(31))
  expect(verify(identity, Uint8Array.of(0x72), Uint8Array.of(...identity, ...new Uint8Array(32)))).toBe(false)
})

test("a value is compared as a whole", () => {
  const value = randomBytes(32)
  expect(equalInConstantTime(value, Uint8Array.from(value))).toBe(true)
  expect(equalInConstantTime(value, value.subarray(1))).toBe(false)
  for (const index of [0, 31]) {
    const other = value.map((byte, at) => (at === index ? byte ^ 1 : byte))
    expect(equalInConstantTime(value, other)).toBe(false)
  }
})
