import { decodeMlsMessage, encodeMlsMessage, type MLSMessage, type RatchetTree } from "ts-mls"
import { validateRatchetTree } from "ts-mls/clientState.js"
import { ratchetTreeFromExtension } from "ts-mls/groupInfo.js"
import { expect, test } from "vitest"

import { bodyOf, groupOf, testDevice, trusting, welcomed, type TestDevice } from "../testing/mls"
import { createKeyPackage, deviceOfKeyPackage, keyPackageFor, MlsGroup, type IsTrusted } from "./mls"
import { randomBytes, suite } from "./suite"

const anyone = () => true
const [inga, nils, maja, lova] = (await Promise.all(
  ["inga", "nils", "maja", "lova"].map((user) => testDevice(user)),
)) as [TestDevice, TestDevice, TestDevice, TestDevice]
const family = trusting([inga, nils, maja, lova])
const pair = () => groupOf([inga, nils], family) as Promise<[MlsGroup, MlsGroup]>

function decoded(message: Uint8Array): MLSMessage {
  return (decodeMlsMessage(message, 0) as [MLSMessage, number])[0]
}

/** Processes a commit that does not remove the device. */
async function processed(group: MlsGroup, commit: Uint8Array) {
  const next = await group.process(commit)
  if (!next) throw new Error("the commit removes this device")
  return next
}

const members = (group: MlsGroup) => group.leaves.map(({ userId }) => userId)

test("all members export the same key in each epoch, and another one for each conversation", async () => {
  const [ingas, nilss] = await pair()
  const commit = await nilss.commit([], [])
  const after = await processed(ingas, commit.commit)
  expect(after.epoch).toBe(2)
  const [key, own] = await Promise.all([after.exportKey("kitchen"), commit.next.exportKey("kitchen")])
  expect(key).toEqual(own)
  expect(key.length).toBe(32)
  expect(await after.exportKey("hall")).not.toEqual(key)
  expect(await ingas.exportKey("kitchen")).not.toEqual(key)
})

test("a group that was stored continues", async () => {
  const [ingas, nilss] = await pair()
  const commit = await MlsGroup.decode(ingas.encode(), family).commit([], [bodyOf(maja)])
  const after = await processed(MlsGroup.decode(nilss.encode(), family), commit.commit)
  const majas = await welcomed(commit, maja, family)
  expect(await after.exportKey("kitchen")).toEqual(await majas.exportKey("kitchen"))
  expect(members(majas)).toEqual(["inga", "nils", "maja"])
  expect(() => MlsGroup.decode(ingas.encode().subarray(1), family)).toThrow()
})

test("one commit removes and adds devices, and a removed device gets no further key", async () => {
  const [ingas, nilss] = await pair()
  const commit = await ingas.commit([1], [bodyOf(maja)])
  expect(members(commit.next)).toEqual(["inga", "maja"])
  const removed = await nilss.process(commit.commit)
  expect(removed).toBeNull()
  expect(await nilss.process((await ingas.commit([1], [])).commit)).toBeNull()
  expect(await (await welcomed(commit, maja, family)).exportKey("kitchen")).toEqual(
    await commit.next.exportKey("kitchen"),
  )
})

test("a device joins by an external commit, and replaces its leaf when it has lost its state", async () => {
  let [ingas, nilss] = await pair()
  for (const round of [2, 3]) {
    const { groupInfo } = await ingas.commit([], []) // Not sent: the group info of the epoch after it is not used.
    expect(groupInfo.length).toBeGreaterThan(100)
    const current = await nilss.commit([], []) // A commit that everyone processes.
    ingas = await processed(ingas, current.commit)
    nilss = current.next
    const joined = await MlsGroup.joinExternal(current.groupInfo, maja, family)
    expect(joined.welcome).toBeNull()
    ingas = await processed(ingas, joined.commit)
    nilss = await processed(nilss, joined.commit)
    expect(members(nilss)).toEqual(["inga", "nils", "maja"])
    expect(await nilss.exportKey("kitchen")).toEqual(await joined.next.exportKey("kitchen"))
    expect(ingas.epoch).toBe(2 * round - 1)
  }
})

test("a device whose keys were replaced replaces its old leaf", async () => {
  const [, nilss] = await pair()
  const renewed = await testDevice("inga")
  const current = await nilss.commit([], [])
  const both: IsTrusted = (device) => family(device) || trusting([renewed])(device)
  const joined = await MlsGroup.joinExternal(current.groupInfo, renewed, both)
  expect(members(joined.next)).toEqual(["inga", "nils"])
  const followed = await processed(MlsGroup.decode(current.next.encode(), both), joined.commit)
  expect(await followed.exportKey("kitchen")).toEqual(await joined.next.exportKey("kitchen"))
})

test("a device that no account key certifies cannot be added, join, or be met in a group", async () => {
  const ghost = await testDevice("nils", "ghost")
  const [ingas, nilss] = await pair()
  await expect(ingas.commit([], [bodyOf(ghost)])).rejects.toThrow("credential")
  const blind = MlsGroup.decode(nilss.encode(), anyone)
  const commit = await blind.commit([], [bodyOf(ghost)])
  await expect(ingas.process(commit.commit)).rejects.toThrow("credential")
  await expect(MlsGroup.joinExternal(commit.groupInfo, maja, family)).rejects.toThrow("credential")
  const external = await MlsGroup.joinExternal((await blind.commit([], [])).groupInfo, ghost, anyone)
  const next = await processed(ingas, (await nilss.commit([], [])).commit)
  await expect(next.process(external.commit)).rejects.toThrow()
  // A known device under another signature key.
  const impostor = await testDevice("maja")
  await expect(ingas.commit([], [bodyOf(impostor)])).rejects.toThrow("credential")
})

test("an external commit that removes another device is not accepted", async () => {
  const [ingas, nilss] = await pair()
  const { groupInfo, commit } = await nilss.commit([], [])
  const next = await processed(ingas, commit)
  // Maja's client takes Inga's device for its own former leaf.
  const confused = { ...maja, userId: "inga", deviceId: "inga-phone" }
  const joined = await MlsGroup.joinExternal(groupInfo, confused, anyone)
  await expect(next.process(joined.commit)).rejects.toThrow()
})

test("a commit for another epoch, a changed one and other messages are refused", async () => {
  const [ingas, nilss] = await pair()
  const { commit, next, groupInfo } = await nilss.commit([], [])
  await expect(ingas.process((await next.commit([], [])).commit)).rejects.toThrow()
  await expect(ingas.process(groupInfo)).rejects.toThrow("type")
  await expect(ingas.process(Uint8Array.of(...commit, 0))).rejects.toThrow("trailing")
  for (const at of [0, 5, 45, commit.length >> 1, commit.length - 1]) {
    const changed = commit.map((byte, index) => (index === at ? byte ^ 1 : byte))
    await expect(ingas.process(changed)).rejects.toThrow()
  }
  const { welcome } = await ingas.commit([], [bodyOf(maja)])
  expect(() => keyPackageFor(welcome as Uint8Array, lova.packages)).toThrow("no key package")
})

test("a key package expires", async () => {
  const body = bodyOf(maja)
  const day = 24 * 60 * 60 * 1000
  expect(deviceOfKeyPackage(body)).toMatchObject({ userId: "maja", deviceId: "maja-phone" })
  expect(deviceOfKeyPackage(body, Date.now() + 30 * day)).toBeNull()
  expect(deviceOfKeyPackage(body, Date.now() - 2 * day)).toBeNull()
  expect(deviceOfKeyPackage(body.subarray(1))).toBeNull()
  const expired = (await createKeyPackage(maja, Date.now() - 31 * day)).body
  const [ingas] = await pair()
  await expect(ingas.commit([], [expired])).rejects.toThrow("Lifetime")
})

test("a device joins when a parent lists an unmerged leaf that the nodes above it do not list", async () => {
  const devices = await Promise.all(Array.from({ length: 8 }, (_, index) => testDevice(`user${index}`)))
  const [late, last] = [await testDevice("late"), await testDevice("last")]
  const trusted = trusting([...devices, late, last])
  let groups = await groupOf(devices, trusted)
  const commit = async (by: number, remove: number[], add: TestDevice[]) => {
    const made = await (groups[by] as MlsGroup).commit(remove, add.map(bodyOf))
    const after = await Promise.all(
      groups.map((group, index) => (index === by ? made.next : group.process(made.commit))),
    )
    groups = after.filter((group) => group !== null)
    return made
  }
  await commit(0, [3], []) // Sets the parents of leaves 0 to 3 and of all leaves.
  await commit(0, [], [late]) // Takes leaf 3, and is unmerged in both.
  const { groupInfo } = await commit(3, [], []) // Leaf 4 sets the root again; the other parent still lists leaf 3.
  const joined = await MlsGroup.joinExternal(groupInfo, last, trusted)
  expect(joined.next.leaves.length).toBe(9)
})

test("external_pub is encoded with its length, as other implementations expect it", async () => {
  const [ingas] = await pair()
  const info = decoded((await ingas.commit([], [])).groupInfo)
  if (info.wireformat !== "mls_group_info") throw new Error("not a group info")
  const externalPub = info.groupInfo.extensions.find(({ extensionType }) => extensionType === "external_pub")
  expect(externalPub?.extensionData.length).toBe(33)
  expect(externalPub?.extensionData[0]).toBe(32)
  if (externalPub) externalPub.extensionData = Uint8Array.of(...externalPub.extensionData, 0)
  const forged = encodeMlsMessage(info)
  await expect(MlsGroup.joinExternal(forged, maja, family)).rejects.toThrow("trailing")
})

test.each([
  ["a blank leaf", 3],
  ["no descendant", 4],
  ["outside the tree", 2 ** 31],
])("a tree in which an unmerged leaf is %s is refused", async (_, unmerged) => {
  const devices = await Promise.all(Array.from({ length: 5 }, (_, index) => testDevice(`user${index}`)))
  const [group] = (await groupOf(devices, anyone)) as [MlsGroup]
  const info = decoded((await group.commit([3], [])).groupInfo)
  if (info.wireformat !== "mls_group_info") throw new Error("not a group info")
  const tree = ratchetTreeFromExtension(info.groupInfo) as RatchetTree
  const parentOfLeaves0To3 = tree[3]
  if (parentOfLeaves0To3?.nodeType !== "parent") throw new Error("no parent")
  parentOfLeaves0To3.parent.unmergedLeaves = [unmerged]
  const { groupContext } = info.groupInfo
  const lifetimes = { maximumTotalLifetime: 0n, validateLifetimeOnReceive: false }
  const accepting = { validateCredential: async () => true }
  const error = await validateRatchetTree(tree, groupContext, lifetimes, accepting, groupContext.treeHash, suite)
  expect(error?.message).toContain("non-blank descendant")
})

test("a device that was added twice, or a group that is not ours, is refused", async () => {
  const [ingas] = await pair()
  const again = await createKeyPackage(nils)
  await expect(ingas.commit([], [again.body])).rejects.toThrow("already in the group")
  await expect(MlsGroup.joinExternal(randomBytes(200), maja, family)).rejects.toThrow()
})
