/** Encrypted content encoding for HTTP (RFC 8188): `aes128gcm`. The format of encrypted bodies and files. */
import { aeadDecrypt, aeadEncrypt, concatBytes, hkdfExpand, hkdfExtract, randomBytes, utf8ToBytes } from "./suite"

const SALT_SIZE = 16
const TAG_SIZE = 16
/** Salt, record size and the length of the key id, which is empty. */
const HEADER_SIZE = SALT_SIZE + 4 + 1
const NOT_LAST = 1
const LAST = 2

const KEY_INFO = utf8ToBytes("Content-Encoding: aes128gcm\0")
const NONCE_INFO = utf8ToBytes("Content-Encoding: nonce\0")

/**
 * Encrypts a text as one record.
 *
 * @param ikm input keying material of 16 bytes; used for one message only, or with another salt
 * @param size size of the padded text, longer than the text by at least the delimiter of one byte
 */
export function encryptRecord(
  ikm: Uint8Array,
  text: Uint8Array,
  size: number,
  salt: Uint8Array = randomBytes(SALT_SIZE),
): Uint8Array {
  const padded = new Uint8Array(size)
  padded.set(text)
  padded[text.length] = LAST
  const header = new Uint8Array(HEADER_SIZE)
  header.set(salt)
  new DataView(header.buffer).setUint32(SALT_SIZE, size + TAG_SIZE)
  const { key, nonce } = keysOf(ikm, salt)
  return concatBytes(header, aeadEncrypt(key, nonce(0), padded))
}

/** Decrypts a message of any number of records. Throws if it is not authentic, complete and well-formed. */
export function decrypt(ikm: Uint8Array, message: Uint8Array): Uint8Array {
  const { salt, recordSize, records } = parsed(message)
  const { key, nonce } = keysOf(ikm, salt)
  const texts: Uint8Array[] = []
  for (let start = 0; start < records.length; start += recordSize) {
    const record = records.subarray(start, start + recordSize)
    const isLast = start + recordSize >= records.length
    texts.push(unpadded(aeadDecrypt(key, nonce(texts.length), record), isLast))
  }
  return concatBytes(...texts)
}

function parsed(message: Uint8Array) {
  const keyIdSize = message[HEADER_SIZE - 1]
  if (keyIdSize === undefined) throw new Error("the header is incomplete")
  const recordSize = new DataView(message.buffer, message.byteOffset).getUint32(SALT_SIZE)
  if (recordSize < TAG_SIZE + 2) throw new Error("the records are too small")
  const records = message.subarray(HEADER_SIZE + keyIdSize)
  if (records.length === 0) throw new Error("there are no records")
  return { salt: message.subarray(0, SALT_SIZE), recordSize, records }
}

function unpadded(padded: Uint8Array, isLast: boolean): Uint8Array {
  let end = padded.length - 1
  while (padded[end] === 0) end--
  if (padded[end] !== (isLast ? LAST : NOT_LAST)) throw new Error("a record has the wrong delimiter")
  return padded.subarray(0, end)
}

function keysOf(ikm: Uint8Array, salt: Uint8Array) {
  const prk = hkdfExtract(salt, ikm)
  const base = hkdfExpand(prk, NONCE_INFO, 12)
  const nonce = (sequence: number) => {
    const own = Uint8Array.from(base)
    const view = new DataView(own.buffer)
    view.setUint32(8, view.getUint32(8) ^ sequence) // The sequence number has 96 bits; 2^32 records are never reached.
    return own
  }
  return { key: hkdfExpand(prk, KEY_INFO, 16), nonce }
}
