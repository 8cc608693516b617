// @vitest-environment happy-dom
import "fake-indexeddb/auto"

import { flushSync } from "svelte"
import { expect, test } from "vitest"

import { Drafts } from "./drafts.svelte"
import { LocalDatabase } from "./database"
import { TabChannel } from "./tab-channel"

test("a reader of a draft runs when that draft changes, and not while the user types elsewhere", async () => {
  const database = new LocalDatabase("reading", () => undefined)
  const tabs = new TabChannel("reading")
  const drafts = new Drafts(database, tabs)
  const seen: Record<string, unknown[]> = { kitchen: [], garden: [], ids: [] }
  const stop = $effect.root(() => {
    $effect(() => void seen["kitchen"]?.push(drafts.get("kitchen")?.text))
    $effect(() => void seen["garden"]?.push(drafts.get("garden")?.text))
    $effect(() => void seen["ids"]?.push(drafts.ids.join()))
  })
  const type = async (id: string, text: string) => {
    const written = drafts.write(id, text, "")
    flushSync()
    await written
  }
  flushSync()
  await type("kitchen", "h")
  for (const each of Object.values(seen)) each.length = 0

  await type("kitchen", "he")
  await type("kitchen", "hel")
  expect(seen).toEqual({ kitchen: ["he", "hel"], garden: [], ids: [] })

  await type("garden", "s")
  await type("kitchen", "")
  expect(seen["garden"]).toContain("s")
  expect(seen["kitchen"]?.at(-1)).toBeUndefined()
  expect(seen["ids"]?.at(-1)).toBe("garden")
  stop()
  tabs.close()
  await database.close()
})
