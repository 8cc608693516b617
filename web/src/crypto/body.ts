/**
 * Signed and encrypted bodies of messages, edits and reactions.
 *
 * A body depends only on the epoch key and its context. Any tab, the service worker and a page of the history decrypt it
 * in the same way, as often as needed.
 */
import { fromBase64url, toBase64url } from "./bytes"
import { bodyKey, bodySignatureInput, type BodyContext } from "./derivations"
import { decrypt, encryptRecord } from "./rfc8188"
import { concatBytes, sign, verify } from "./suite"

const SIGNATURE_SIZE = 64
/** The largest body stays below the server's limit of 64 KiB. */
export const MAX_CONTENT_SIZE = 44_000
const SIZES = [256, 512, 1024, 2048, 4096]

export interface DecryptedBody {
  readonly signature: Uint8Array
  readonly content: Uint8Array
}

/** @param signatureSeed the Ed25519 seed of the sending device */
export function encryptBody(
  epochKey: Uint8Array,
  context: BodyContext,
  signatureSeed: Uint8Array,
  content: Uint8Array,
): string {
  if (content.length > MAX_CONTENT_SIZE) throw new Error("the content is too large")
  const text = concatBytes(sign(signatureSeed, bodySignatureInput(context, content)), content)
  return toBase64url(encryptRecord(bodyKey(epochKey, context), text, paddedSize(text.length + 1)))
}

/** Decrypts a body, whose signature must still be verified. Throws if it is not authentic in this epoch and context. */
export function decryptBody(epochKey: Uint8Array, context: BodyContext, body: string): DecryptedBody {
  const text = decrypt(bodyKey(epochKey, context), fromBase64url(body))
  if (text.length < SIGNATURE_SIZE) throw new Error("the body has no signature")
  return { signature: text.subarray(0, SIGNATURE_SIZE), content: text.subarray(SIGNATURE_SIZE) }
}

/** Whether the device with this signature key signed the content for this context. */
export function isSignedBy(signatureKey: Uint8Array, context: BodyContext, body: DecryptedBody): boolean {
  return verify(signatureKey, bodySignatureInput(context, body.content), body.signature)
}

function paddedSize(size: number): number {
  return SIZES.find((candidate) => size <= candidate) ?? Math.ceil(size / 4096) * 4096
}
