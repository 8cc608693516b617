import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

import { bytesToHex as hex, hexToBytes as bytes } from "@noble/hashes/utils.js"
import { afterAll, expect, test } from "vitest"

import { bodyOf, testDevice } from "../testing/mls"
import { keyPackageFor, MlsGroup } from "./mls"
import { randomBytes } from "./suite"

/** A device on mls-rs; see tests/support/mls_rs_member.py. */
class RustMember {
  readonly #process
  readonly #lines

  constructor(identity: string) {
    const python = process.env["FAMICHAT_PYTHON"] ?? ".venv/bin/python"
    const args = ["-m", "tests.support.mls_rs_member", identity]
    this.#process = spawn(python, args, { cwd: "..", stdio: ["pipe", "pipe", "inherit"] })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  async reply(): Promise<Record<string, string>> {
    const line = await this.#lines.next()
    if (line.done) throw new Error("mls-rs failed")
    return JSON.parse(line.value) as Record<string, string>
  }

  async call(method: string, request: Record<string, unknown> = {}): Promise<Record<string, string>> {
    this.#process.stdin.write(`${JSON.stringify({ method, ...request })}\n`)
    return await this.reply()
  }

  end(): void {
    this.#process.stdin.end()
  }
}

const rust = new RustMember("nils:laptop")
const { public_key: publicKey } = await rust.reply()
afterAll(() => rust.end())

const [inga, maja] = [await testDevice("inga"), await testDevice("maja")]
const trust = () => true
const epochKey = async (group: MlsGroup) => hex(await group.exportKey("kitchen"))
const rustKey = async () => (await rust.call("export", { conversation_id: "kitchen" }))["key"]
const processed = async (group: MlsGroup, commit: Uint8Array) => (await group.process(commit)) as MlsGroup

test("mls-rs joins our group, follows our commits, and we follow its", async () => {
  const { body } = await rust.call("key_package")
  let group = await MlsGroup.create(randomBytes(32), inga, trust)
  const added = await group.commit([], [bytes(body as string), bodyOf(maja)])
  await rust.call("join", { welcome: hex(added.welcome as Uint8Array) })
  group = added.next
  expect(group.leaves.map(({ userId }) => userId)).toEqual(["inga", "nils", "maja"])
  expect(hex(group.leaves[1]?.signatureKey as Uint8Array)).toBe(publicKey)
  expect(await rustKey()).toBe(await epochKey(group))

  const update = await rust.call("commit", { add: [] })
  group = await processed(group, bytes(update["commit"] as string))
  expect(await rustKey()).toBe(await epochKey(group))

  const removal = await group.commit([2], [])
  await rust.call("process", { commit: hex(removal.commit) })
  expect(await rustKey()).toBe(await epochKey(removal.next))

  const external = await MlsGroup.joinExternal(removal.groupInfo, maja, trust)
  await rust.call("process", { commit: hex(external.commit) })
  expect(await rustKey()).toBe(await epochKey(external.next))
})

test("we join a group of mls-rs, and replace our leaf in it", async () => {
  await rust.call("create")
  const { commit, welcome } = await rust.call("commit", { add: [hex(bodyOf(inga)), hex(bodyOf(maja))] })
  expect(commit).toBeDefined()
  const received = bytes(welcome as string)
  const ingas = await MlsGroup.join(received, keyPackageFor(received, inga.packages), inga, trust)
  const majas = await MlsGroup.join(received, keyPackageFor(received, maja.packages), maja, trust)
  expect([await epochKey(ingas), await epochKey(majas)]).toEqual([await rustKey(), await rustKey()])
  const renewed = await ingas.commit([], [])
  await rust.call("process", { commit: hex(renewed.commit) })
  const external = await MlsGroup.joinExternal(renewed.groupInfo, maja, trust)
  await rust.call("process", { commit: hex(external.commit) })
  expect(external.next.leaves.length).toBe(3)
  expect(await rustKey()).toBe(await epochKey(external.next))
})
