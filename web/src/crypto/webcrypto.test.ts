import {
  acceptAll,
  createCommit,
  createGroup,
  defaultCryptoProvider,
  emptyPskIndex,
  generateKeyPackage,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
  mlsExporter,
  processPublicMessage,
  type CiphersuiteImpl,
  type ClientState,
  type Proposal,
} from "ts-mls"
import { expect, test } from "vitest"

import { randomBytes, suite } from "./suite"

/** The library's own provider, over the WebCrypto of Node.js. */
const webCrypto = await getCiphersuiteImpl(getCiphersuiteFromName(suite.name), defaultCryptoProvider)

async function member(name: string, cs: CiphersuiteImpl) {
  const capabilities = {
    versions: ["mls10" as const],
    ciphersuites: [suite.name],
    extensions: [],
    proposals: [],
    credentials: ["basic" as const],
  }
  const lifetime = { notBefore: 0n, notAfter: 2n ** 62n }
  const credential = { credentialType: "basic" as const, identity: new TextEncoder().encode(name) }
  return { cs, ...(await generateKeyPackage(credential, capabilities, lifetime, [], cs)) }
}

const epochKey = ({ keySchedule }: ClientState, cs: CiphersuiteImpl) =>
  mlsExporter(keySchedule.exporterSecret, "famichat message", new Uint8Array(), 32, cs)

test.each([
  ["noble creates the group", suite, webCrypto],
  ["WebCrypto creates the group", webCrypto, suite],
])("members over noble and WebCrypto share a group: %s", async (_, one, other) => {
  const [inga, nils] = [await member("inga", one), await member("nils", other)]
  const add: Proposal = { proposalType: "add", add: { keyPackage: nils.publicPackage } }
  const group = await createGroup(randomBytes(32), inga.publicPackage, inga.privatePackage, [], one)
  const created = await createCommit(
    { state: group, cipherSuite: one },
    { wireAsPublicMessage: true, extraProposals: [add], ratchetTreeExtension: true },
  )
  if (!created.welcome) throw new Error("no Welcome")
  const joined = await joinGroup(created.welcome, nils.publicPackage, nils.privatePackage, emptyPskIndex, other)
  expect(await epochKey(joined, other)).toEqual(await epochKey(created.newState, one))

  const update = await createCommit({ state: joined, cipherSuite: other }, { wireAsPublicMessage: true })
  if (update.commit.wireformat !== "mls_public_message") throw new Error("not public")
  const { newState } = await processPublicMessage(
    created.newState,
    update.commit.publicMessage,
    emptyPskIndex,
    one,
    acceptAll,
  )
  expect(await epochKey(newState, one)).toEqual(await epochKey(update.newState, other))
})
