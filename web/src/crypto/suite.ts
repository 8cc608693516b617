/**
 * Cipher suite 1 of MLS: `MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519`, over noble.
 *
 * This is the only file that imports noble. It does not use `crypto.subtle`, which pages over plain HTTP lack.
 */
import { gcm } from "@noble/ciphers/aes.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { expand, extract } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concatBytes, randomBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import type { CiphersuiteImpl, PrivateKey, PublicKey } from "ts-mls"

export { concatBytes, randomBytes, sha256, utf8ToBytes }

/** Private keys of Ed25519 are seeds, those of X25519 scalars. Each key has 32 bytes. */
export interface KeyPair {
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
}

export interface HpkeCiphertext {
  /** The encapsulated key: the sender's ephemeral public key. */
  readonly enc: Uint8Array
  readonly ct: Uint8Array
}

const NOTHING: Uint8Array = new Uint8Array()

/** HKDF-Extract (RFC 5869, section 2.2) with SHA-256. */
export function hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Uint8Array {
  return extract(sha256, ikm, salt)
}

/** HKDF-Expand (RFC 5869, section 2.3) with SHA-256. */
export function hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return expand(sha256, prk, info, length)
}

/** AES-128-GCM (RFC 5116). The result ends with the tag of 16 bytes. */
export function aeadEncrypt(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad = NOTHING): Uint8Array {
  return gcm(key, nonce, aad).encrypt(plaintext)
}

/** Throws if the ciphertext is not authentic. */
export function aeadDecrypt(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad = NOTHING): Uint8Array {
  return gcm(key, nonce, aad).decrypt(ciphertext)
}

export function signatureKeyPair(seed: Uint8Array): KeyPair {
  return { privateKey: seed, publicKey: ed25519.getPublicKey(seed) }
}

/** Ed25519 (RFC 8032). */
export function sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed)
}

/**
 * Verifies strictly, as RFC 8032 requires. A signature that one implementation accepts and another rejects would split
 * an MLS group.
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === 32 &&
    signature.length === 64 &&
    ed25519.verify(signature, message, publicKey, { zip215: false })
  )
}

export function hpkeKeyPair(privateKey: Uint8Array = randomBytes(32)): KeyPair {
  return { privateKey, publicKey: x25519.getPublicKey(privateKey) }
}

/** HPKE base mode (RFC 9180, section 6.1), for one message. */
export function hpkeSeal(
  publicKey: Uint8Array,
  info: Uint8Array,
  plaintext: Uint8Array,
  aad = NOTHING,
  ephemeral = hpkeKeyPair(),
): HpkeCiphertext {
  const { key, nonce } = keySchedule(encapsulate(publicKey, ephemeral), info)
  return { enc: ephemeral.publicKey, ct: aeadEncrypt(key, nonce, plaintext, aad) }
}

/** Throws if the ciphertext is not authentic, or was made for another key or `info`. */
export function hpkeOpen(
  privateKey: Uint8Array,
  info: Uint8Array,
  { enc, ct }: HpkeCiphertext,
  aad = NOTHING,
): Uint8Array {
  const { key, nonce } = keySchedule(decapsulate(privateKey, enc), info)
  return aeadDecrypt(key, nonce, ct, aad)
}

const VERSION = utf8ToBytes("HPKE-v1")
const KEM_ID = [0x00, 0x20]
const KEM = Uint8Array.of(...utf8ToBytes("KEM"), ...KEM_ID)
const HPKE = Uint8Array.of(...utf8ToBytes("HPKE"), ...KEM_ID, 0x00, 0x01, 0x00, 0x01)

/** RFC 9180, section 4. */
function labeledExtract(suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return hkdfExtract(salt, concatBytes(VERSION, suite, utf8ToBytes(label), ikm))
}

function labeledExpand(suite: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number) {
  const size = Uint8Array.of(length >> 8, length & 0xff)
  return hkdfExpand(prk, concatBytes(size, VERSION, suite, utf8ToBytes(label), info), length)
}

/** RFC 9180, section 4.1. noble throws if the shared point is zero, as section 7.1.4 requires. */
function encapsulate(publicKey: Uint8Array, ephemeral: KeyPair): Uint8Array {
  return sharedSecret(x25519.getSharedSecret(ephemeral.privateKey, publicKey), ephemeral.publicKey, publicKey)
}

function decapsulate(privateKey: Uint8Array, enc: Uint8Array): Uint8Array {
  return sharedSecret(x25519.getSharedSecret(privateKey, enc), enc, x25519.getPublicKey(privateKey))
}

function sharedSecret(dh: Uint8Array, enc: Uint8Array, recipient: Uint8Array): Uint8Array {
  const prk = labeledExtract(KEM, NOTHING, "eae_prk", dh)
  return labeledExpand(KEM, prk, "shared_secret", concatBytes(enc, recipient), 32)
}

/** RFC 9180, section 5.1: without a pre-shared key. */
function keySchedule(shared: Uint8Array, info: Uint8Array) {
  const baseMode = Uint8Array.of(0)
  const noPsk = labeledExtract(HPKE, NOTHING, "psk_id_hash", NOTHING)
  const context = concatBytes(baseMode, noPsk, labeledExtract(HPKE, NOTHING, "info_hash", info))
  const secret = labeledExtract(HPKE, shared, "secret", NOTHING)
  return {
    key: labeledExpand(HPKE, secret, "key", context, 16),
    nonce: labeledExpand(HPKE, secret, "base_nonce", context, 12),
    exporter: labeledExpand(HPKE, secret, "exp", context, 32),
  }
}

/** RFC 9180, section 5.3. */
function hpkeExport(shared: Uint8Array, info: Uint8Array, context: Uint8Array, length: number): Uint8Array {
  return labeledExpand(HPKE, keySchedule(shared, info).exporter, "sec", context, length)
}

/** RFC 9180, section 7.1.3. */
function derivedHpkeKeyPair(ikm: Uint8Array): KeyPair {
  return hpkeKeyPair(labeledExpand(KEM, labeledExtract(KEM, NOTHING, "dkp_prk", ikm), "sk", NOTHING, 32))
}

/** ts-mls declares keys as those of WebCrypto, and passes them through unchanged. */
const bytes = (key: PublicKey | PrivateKey) => key as unknown as Uint8Array
const publicKey = (key: Uint8Array) => key as unknown as PublicKey
const privateKey = (key: Uint8Array) => key as unknown as PrivateKey
const keys = (pair: KeyPair) => ({ privateKey: privateKey(pair.privateKey), publicKey: publicKey(pair.publicKey) })

/** The cipher suite as ts-mls calls it. Signature keys are raw seeds of 32 bytes. */
export const suite: CiphersuiteImpl = {
  name: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
  rng: { randomBytes },
  hash: {
    digest: async (data) => sha256(data),
    mac: async (key, data) => hmac(sha256, key, data),
    verifyMac: async (key, mac, data) => equalInConstantTime(mac, hmac(sha256, key, data)),
  },
  kdf: {
    size: 32,
    extract: async (salt, ikm) => hkdfExtract(salt, ikm),
    expand: async (prk, info, length) => hkdfExpand(prk, info, length),
  },
  signature: {
    sign: async (seed, message) => sign(seed, message),
    verify: async (key, message, signature) => verify(key, message, signature),
    keygen: async () => {
      const { privateKey: signKey, publicKey } = signatureKeyPair(randomBytes(32))
      return { signKey, publicKey }
    },
  },
  hpke: {
    keyLength: 16,
    nonceLength: 12,
    seal: async (key, plaintext, info, aad) => ({ ...hpkeSeal(bytes(key), info, plaintext, aad) }),
    open: async (key, enc, ct, info, aad) => hpkeOpen(bytes(key), info, { enc, ct }, aad),
    exportSecret: async (key, context, length, info) => {
      const ephemeral = hpkeKeyPair()
      const secret = hpkeExport(encapsulate(bytes(key), ephemeral), info, context, length)
      return { enc: ephemeral.publicKey, secret }
    },
    importSecret: async (key, context, enc, length, info) =>
      hpkeExport(decapsulate(bytes(key), enc), info, context, length),
    encryptAead: async (key, nonce, aad, plaintext) => aeadEncrypt(key, nonce, plaintext, aad),
    decryptAead: async (key, nonce, aad, ciphertext) => aeadDecrypt(key, nonce, ciphertext, aad),
    deriveKeyPair: async (ikm) => keys(derivedHpkeKeyPair(ikm)),
    generateKeyPair: async () => keys(hpkeKeyPair()),
    importPublicKey: async (key) => publicKey(key),
    importPrivateKey: async (key) => privateKey(key),
    exportPublicKey: async (key) => bytes(key),
    exportPrivateKey: async (key) => bytes(key),
  },
}

export function equalInConstantTime(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  return one.reduce((difference, byte, index) => difference | (byte ^ (other[index] as number)), 0) === 0
}
