import "fake-indexeddb/auto"
import { expect, test } from "vitest"

import { LocalDatabase } from "./database"
import { recentEmoji, rememberEmoji } from "./recent-emoji"

test("the picked emoji are kept on the device, the latest first", async () => {
  const database = new LocalDatabase("maja", () => undefined)
  expect(await recentEmoji(database)).toEqual([])
  for (const emoji of ["🌸", "👋🏽", "🌸"]) await rememberEmoji(database, emoji)
  await database.close()
  expect(await recentEmoji(new LocalDatabase("maja", () => undefined))).toEqual(["🌸", "👋🏽"])
})
