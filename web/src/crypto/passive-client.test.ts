import { hexToBytes } from "@noble/hashes/utils.js"
import {
  acceptAll,
  bytesToBase64,
  decodeMlsMessage,
  joinGroup,
  makePskIndex,
  processPrivateMessage,
  processPublicMessage,
  type ClientState,
  type MLSMessage,
} from "ts-mls"
import { decodeRatchetTree } from "ts-mls/ratchetTree.js"
import { expect, test } from "vitest"

import { suite } from "./suite"
// A selection of the vectors for suite 1 in https://github.com/mlswg/mls-implementations, test-vectors/passive-client-*,
// with the first 8 of 200 epochs of passive-client-random.
import vectors from "./vectors/passive-client.json"

type Vector = (typeof vectors)[number]

test.each(vectors)("a passive client follows vector %#", async (vector) => {
  let state = await joined(vector)
  expect(state.keySchedule.epochAuthenticator).toEqual(hexToBytes(vector.initial_epoch_authenticator))
  for (const epoch of vector.epochs) {
    for (const proposal of epoch.proposals) state = await processed(state, proposal, vector)
    state = await processed(state, epoch.commit, vector)
    expect(state.keySchedule.epochAuthenticator).toEqual(hexToBytes(epoch.epoch_authenticator))
  }
})

async function joined(vector: Vector): Promise<ClientState> {
  const keyPackage = decoded(vector.key_package)
  const welcome = decoded(vector.welcome)
  if (keyPackage.wireformat !== "mls_key_package" || welcome.wireformat !== "mls_welcome") throw new Error("wrong type")
  return joinGroup(
    welcome.welcome,
    keyPackage.keyPackage,
    {
      initPrivateKey: hexToBytes(vector.init_priv),
      hpkePrivateKey: hexToBytes(vector.encryption_priv),
      signaturePrivateKey: hexToBytes(vector.signature_priv),
    },
    makePskIndex(undefined, externalPsks(vector)),
    suite,
    vector.ratchet_tree === null ? undefined : decodeRatchetTree(hexToBytes(vector.ratchet_tree), 0)?.[0],
  )
}

async function processed(state: ClientState, message: string, vector: Vector): Promise<ClientState> {
  const received = decoded(message)
  if (received.wireformat !== "mls_public_message" && received.wireformat !== "mls_private_message") {
    throw new Error("neither a proposal nor a commit")
  }
  const pskIndex = makePskIndex(state, externalPsks(vector))
  if (received.wireformat === "mls_private_message") {
    return (await processPrivateMessage(state, received.privateMessage, pskIndex, suite, acceptAll)).newState
  }
  return (await processPublicMessage(state, received.publicMessage, pskIndex, suite, acceptAll)).newState
}

function externalPsks(vector: Vector): Record<string, Uint8Array> {
  return Object.fromEntries(
    vector.external_psks.map(({ psk_id, psk }) => [bytesToBase64(hexToBytes(psk_id)), hexToBytes(psk)]),
  )
}

function decoded(message: string): MLSMessage {
  const [value] = decodeMlsMessage(hexToBytes(message), 0) ?? []
  if (value === undefined) throw new Error("not an MLS message")
  return value
}
