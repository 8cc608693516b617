import { expect, test } from "vitest"

import type { Message } from "../api/types"
import { attachment, message } from "../models/fixtures"
import { MessageReader } from "./message-reader"

const envelope = {
  encryption_flag: false,
  encryption_version: null,
  key_id: null,
  protocol: null,
  epoch: null,
  sender_device_id: null,
}

test("a message is readable once it has been opened, in the version that was opened", async () => {
  const reader = new MessageReader()
  const [first, edited] = [message(1, { body: "a" }), message(1, { body: "b", change: 1 })]
  expect(reader.read(first)).toBeUndefined()
  await reader.open([first])
  expect(reader.read(first)).toEqual({ kind: "text", text: "a" })
  expect(reader.read(edited)).toBeUndefined()
  await reader.open([first, edited])
  expect(reader.read(edited)).toEqual({ kind: "text", text: "b" })
})

test("the reactions to a message are opened with it, and an encrypted one is not readable", async () => {
  const reader = new MessageReader()
  const reactions = [
    { user_id: "inga", emoji: "👍", ...envelope },
    { user_id: "nils", emoji: "x", ...envelope, encryption_flag: true },
  ]
  const liked = message(1, { reactions })
  expect(reader.reactionsTo(liked)).toEqual([])
  await reader.open([liked])
  expect(reader.reactionsTo(liked)).toEqual([
    { user_id: "inga", emoji: "👍" },
    { user_id: "nils", emoji: undefined },
  ])
})

test("what is not encrypted is readable immediately, so that its bubble is drawn in one step", () => {
  const reader = new MessageReader()
  const [plain, encrypted] = [message(1, { body: "a" }), message(2, { encryption_flag: true })]
  void reader.open([plain, encrypted])
  expect(reader.read(plain)).toEqual({ kind: "text", text: "a" })
  expect(reader.read(encrypted)).toBeUndefined()
})

test("a listener receives the versions opened before and after, and what is read once is not kept", async () => {
  const reader = new MessageReader()
  const [first, second, third] = [message(1), message(2), message(3)]
  await reader.open([first])
  const heard: string[] = []
  reader.listen(({ message_id }, opened) => heard.push(`${message_id} ${opened.kind}`))
  await reader.open([second, { ...third, encryption_flag: true }])
  expect(heard).toEqual(["m1 text", "m2 text", "m3 locked"])
  expect(await reader.readOnce([message(4)])).toEqual([{ kind: "text", text: "message 4" }])
  expect(reader.read(message(4))).toBeUndefined()
  expect(heard).toHaveLength(3)
})

test("what could not be decrypted is read once this device has the keys", async () => {
  let hasKeys = false
  const decrypt = async () => (hasKeys ? ({ kind: "text", text: "a" } as const) : ({ kind: "before" } as const))
  const reader = new MessageReader({ decrypt, isForged: () => false, isEncryptedSince: () => false })
  const encrypted = message(1, { encryption_flag: true })
  await reader.open([encrypted])
  await reader.reopen("kitchen")
  expect(reader.read(encrypted)).toEqual({ kind: "before" })
  hasKeys = true
  await reader.reopen("porch")
  expect(reader.read(encrypted)).toEqual({ kind: "before" })
  await reader.reopen("kitchen")
  expect(reader.read(encrypted)).toEqual({ kind: "text", text: "a" })
})

/** The encryption of a conversation in which everything after `since()` is encrypted. */
function encryptedAfter(since: () => number) {
  return {
    decrypt: async () => ({ kind: "text", text: "decrypted" }) as const,
    isForged: ({ seq, encryption_flag }: Message) => !encryption_flag && seq > since(),
    isEncryptedSince: ({ seq }: Message) => seq > since(),
  }
}

test("what turns out to be forged later is hidden", async () => {
  let since = Infinity
  const reader = new MessageReader(encryptedAfter(() => since))
  const [before, forged] = [message(1), message(2)]
  await reader.open([before, forged])
  expect(reader.read(forged)?.kind).toBe("text")
  since = 1
  await reader.reopen("kitchen")
  expect([before, forged].map((each) => reader.read(each)?.kind)).toEqual(["text", "locked"])
})

test("a reaction that is not encrypted is not shown where the participants encrypt everything", async () => {
  const reader = new MessageReader(encryptedAfter(() => 1))
  const reactions = [{ user_id: "inga", emoji: "👍", ...envelope }]
  const [before, after] = [message(1, { reactions }), message(2, { reactions, encryption_flag: true })]
  await reader.open([before, after])
  expect(reader.reactionsTo(before)).toEqual([{ user_id: "inga", emoji: "👍" }])
  expect(reader.reactionsTo(after)).toEqual([{ user_id: "inga", emoji: undefined }])
  expect(reader.read(after)).toEqual({ kind: "text", text: "decrypted" })
})

test("nothing that is not encrypted is shown where the participants encrypt everything", async () => {
  const reader = new MessageReader(encryptedAfter(() => 1))
  const [before, forged] = [message(1), message(2)]
  await reader.open([before, forged])
  expect([before, forged].map((each) => reader.read(each)?.kind)).toEqual(["text", "locked"])
})

test("files that the server adds to a message are not shown where the participants encrypt everything", async () => {
  let since = 1
  const reader = new MessageReader(encryptedAfter(() => since))
  const files = { attachments: [attachment] }
  const all = [message(1, files), message(2, files), message(3, { ...files, encryption_flag: true })]
  await reader.open(all)
  expect(all.map((each) => reader.attachmentsOf(each).length)).toEqual([1, 0, 0])
  expect(reader.withoutForged(all).map(({ seq }) => seq)).toEqual([1, 3])
  since = 0
  await reader.reopen("kitchen")
  expect(reader.attachmentsOf(all[0] as Message)).toEqual([])
})
