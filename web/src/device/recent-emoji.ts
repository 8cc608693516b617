/** The emoji that the user picked last, on this device. */
import { withRecentEmoji } from "../models/emoji/emoji"
import type { LocalDatabase } from "./database"

const KEY = "emoji"

/** Returns them, the latest first. */
export async function recentEmoji(database: LocalDatabase): Promise<readonly string[]> {
  return await database.read(async (stored) => listIn(await stored.get("facts", KEY)), [])
}

export async function rememberEmoji(database: LocalDatabase, emoji: string): Promise<void> {
  await database.write(
    ["facts"],
    async (change) => {
      const facts = change.objectStore("facts")
      await facts.put(withRecentEmoji(listIn(await facts.get(KEY)), emoji), KEY)
    },
    undefined,
  )
}

function listIn(stored: unknown): readonly string[] {
  return (stored as readonly string[] | undefined) ?? []
}
