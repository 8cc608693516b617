/** Derives the keys of end-to-end encryption, and lays out the bytes that are signed. All labels are ASCII. */
import { concatBytes, hkdfExpand, hpkeKeyPair, sha256, signatureKeyPair, utf8ToBytes, type KeyPair } from "./suite"

/** Where an encrypted body belongs. It decrypts and verifies nowhere else. */
export interface BodyContext {
  readonly kind: "message" | "edit" | "reaction"
  readonly conversationId: string
  readonly generation: number
  readonly epoch: number
  readonly userId: string
  readonly deviceId: string
  /** The `client_id` of a message; the id of the message that is edited or reacted to. */
  readonly subject: string
}

/** The public keys of a device, as the account key certifies them. */
export interface DeviceKeys {
  readonly userId: string
  readonly deviceId: string
  readonly signatureKey: Uint8Array
  readonly hpkeKey: Uint8Array
}

/** The cross-signing key pair of an account, and the key pair to which others encrypt for it. */
export interface AccountKeys {
  readonly signature: KeyPair
  readonly hpke: KeyPair
}

/** Derives the account keys from the account seed of 32 random bytes. */
export function accountKeys(seed: Uint8Array): AccountKeys {
  return {
    signature: signatureKeyPair(hkdfExpand(seed, utf8ToBytes("famichat account signing"), 32)),
    hpke: hpkeKeyPair(hkdfExpand(seed, utf8ToBytes("famichat account hpke"), 32)),
  }
}

/** Returns the id of a conversation's MLS group, so that nothing of one conversation passes for another's. */
export function mlsGroupId(conversationId: string, generation: number): Uint8Array {
  return sha256(concatBytes(utf8ToBytes("famichat 1 group\0"), parts(conversationId, generation)))
}

/** Returns the input keying material of a body for RFC 8188. */
export function bodyKey(epochKey: Uint8Array, context: BodyContext): Uint8Array {
  return hkdfExpand(epochKey, concatBytes(utf8ToBytes("famichat 1 body\0"), contextBytes(context)), 16)
}

/** Returns what the sending device signs. No input of an MLS signature begins with these bytes. */
export function bodySignatureInput(context: BodyContext, content: Uint8Array): Uint8Array {
  return concatBytes(utf8ToBytes("famichat 1 message\0"), contextBytes(context), content)
}

/** Returns what the account key signs to certify a device. */
export function certificateInput(device: DeviceKeys, accountVersion: number): Uint8Array {
  const subject = parts(device.userId, device.deviceId, accountVersion)
  return concatBytes(utf8ToBytes("famichat 1 device\0"), subject, device.signatureKey, device.hpkeKey)
}

function contextBytes(context: BodyContext): Uint8Array {
  const { kind, conversationId, generation, epoch, userId, deviceId, subject } = context
  return parts(kind, conversationId, generation, epoch, userId, deviceId, subject)
}

/** Concatenates values in UTF-8, each preceded by its length in two bytes. */
function parts(...values: readonly (string | number)[]): Uint8Array {
  return concatBytes(
    ...values.flatMap((value) => {
      const bytes = utf8ToBytes(String(value))
      if (bytes.length > 0xffff) throw new Error("a part is too long")
      return [Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]
    }),
  )
}
