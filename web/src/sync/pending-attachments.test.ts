import "fake-indexeddb/auto"

import { afterEach, beforeEach, expect, test } from "vitest"

import { BlobStore } from "../device/blobs"
import { Drafts } from "../device/drafts.svelte"
import { LocalDatabase } from "../device/database"
import { TabChannel } from "../device/tab-channel"
import { PendingAttachments } from "./pending-attachments"

/** One tab of an account. */
class Tab {
  readonly kept = new LocalDatabase(account, () => undefined)
  readonly wire = new TabChannel(account)
  readonly blobs = new BlobStore(account)
  readonly desk = new Drafts(this.kept, this.wire)
  readonly tray = new PendingAttachments(this.desk, this.blobs)

  async close(): Promise<void> {
    this.wire.close()
    await this.kept.close()
    await this.blobs.close()
  }
}

let account = ""
let count = 0
let tabs: Tab[] = []

async function tab(): Promise<Tab> {
  const opened = new Tab()
  tabs.push(opened)
  await opened.desk.load()
  return opened
}

const note = { kind: "voice", name: "note.webm", blob: new Blob(["sound"]), duration_ms: 2_000, waveform: [1] } as const
const file = (name: string) => ({ kind: "file", name, blob: new Blob([name]) }) as const
/** The bytes of a file that was deleted, or of a folder. */
const unreadable = new Blob(["x"])
unreadable.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"))
const names = ({ tray }: Tab) => tray.of("kitchen").map(({ name }) => name)

beforeEach(() => (account = `inga${(count += 1)}`))
afterEach(async () => {
  await Promise.all(tabs.map((each) => each.close()))
  tabs = []
})

test("a recording is there after a restart, with its sound, its length and its shape", async () => {
  const before = await tab()
  await before.desk.write("kitchen", "Listen", "Kitchen")
  await before.tray.add("kitchen", [note], "Kitchen")
  await before.blobs.stored(before.tray.keys)

  const after = await tab()
  await after.tray.check()
  const [kept] = after.tray.of("kitchen")
  expect(kept).toMatchObject({ kind: "voice", duration_ms: 2_000, waveform: [1], size: 5, keep_metadata: false })
  expect(await (await after.blobs.get(kept?.key ?? ""))?.text()).toBe("sound")
  expect(after.desk.get("kitchen")?.text).toBe("Listen")
})

test("files chosen in one tab appear in the other, next to the draft text", async () => {
  const [first, second] = [await tab(), await tab()]
  await first.tray.add("kitchen", [file("a"), file("b")], "Kitchen")
  await expect.poll(() => names(second)).toEqual(["a", "b"])
  await second.desk.write("kitchen", "Look", "Kitchen")
  await expect.poll(() => first.desk.get("kitchen")?.text).toBe("Look")
  expect(names(first)).toEqual(["a", "b"])
})

test("a removed file is deleted with its bytes", async () => {
  const maja = await tab()
  await maja.tray.add("kitchen", [file("a"), file("b")], "Kitchen")
  const [gone, stays] = maja.tray.keys
  await maja.tray.remove("kitchen", gone ?? "")
  expect(names(maja)).toEqual(["b"])
  expect(await maja.blobs.get(gone ?? "")).toBeUndefined()
  await maja.tray.clear("kitchen")
  expect(await maja.blobs.get(stays ?? "")).toBeUndefined()
  expect(maja.desk.ids).toEqual([])
})

test("a file that was sent leaves the composer, and its bytes belong to the message", async () => {
  const [first, second] = [await tab(), await tab()]
  await first.tray.add("kitchen", [note], "Kitchen")
  await expect.poll(() => names(second)).toEqual(["note.webm"])
  const [sent] = first.tray.of("kitchen")
  first.desk.clear("kitchen")
  expect(names(first)).toEqual([])
  await expect.poll(() => names(second)).toEqual([])
  expect(await (await first.tray.bytes(sent ?? expect.fail())).text()).toBe("sound")
})

test("lost bytes are reported when the user plays them", async () => {
  const maja = await tab()
  await maja.tray.add("kitchen", [note], "Kitchen")
  const [lost] = maja.tray.of("kitchen")
  await maja.blobs.remove(maja.tray.keys)
  await expect(maja.tray.bytes(lost ?? expect.fail())).rejects.toMatchObject({ code: "file_gone" })
})

test("a file without bytes on this device is not listed", async () => {
  const before = await tab()
  await before.tray.add("kitchen", [file("a"), file("b")], "Kitchen")
  await before.blobs.remove(before.tray.keys.slice(0, 1))

  const after = await tab()
  await after.tray.check()
  expect(names(after)).toEqual(["b"])
})

test("any number of files is attached, and none is dropped", async () => {
  const maja = await tab()
  const many = Array.from({ length: 8 }, (_, number) => file(`${number}`))
  await maja.tray.add("kitchen", many, "Kitchen")
  await maja.tray.add("kitchen", many, "Kitchen")
  expect(names(maja)).toHaveLength(16)
})

test("an empty file and one that cannot be read are named, and the others are attached", async () => {
  const maja = await tab()
  const folder = new Blob(["x"])
  folder.slice = () => unreadable
  const chosen = [file("a"), { ...file("folder"), blob: folder }, { ...file("empty"), blob: new Blob() }, file("b")]
  expect(await maja.tray.add("kitchen", chosen, "Kitchen")).toEqual(["folder", "empty"])
  expect(names(maja)).toEqual(["a", "b"])
})

test("a stored file is read from this device, and not from where it was chosen", async () => {
  const maja = await tab()
  const chosen = new File(["first"], "a")
  await maja.tray.add("kitchen", [{ ...file("a"), blob: chosen }], "Kitchen")
  await maja.blobs.stored(maja.tray.keys)
  chosen.text = () => Promise.reject(new DOMException("deleted", "NotReadableError"))
  expect(await (await maja.blobs.get(maja.tray.keys[0] ?? ""))?.text()).toBe("first")
})

test("the picture of a video is stored and removed with it", async () => {
  const { tray, blobs } = await tab()
  const video = { width: 1, height: 1, duration_ms: 1 }
  await tray.add("lisbon", [{ ...file("swim.mp4"), video, picture: new Blob(["poster"]) }], "Lisbon")
  const [film] = tray.of("lisbon")
  expect(tray.keys).toEqual([film?.key, film?.poster])
  expect(await blobs.get(film?.poster ?? "")).toBeDefined()
  await tray.remove("lisbon", film?.key ?? "")
  expect(await blobs.get(film?.poster ?? "")).toBeUndefined()
})
