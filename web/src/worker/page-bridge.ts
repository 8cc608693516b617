/** Between pages and the service worker: words that pages leave for its notices, and what it asks of pages. */
import { openDB, type DBSchema } from "idb"

import { PLAIN, type NoticeWords } from "./notification"

interface Stores extends DBSchema {
  facts: { key: string; value: NoticeWords }
}

/** What a page is asked to do: open a conversation, or subscribe anew. */
export type Errand = { readonly open: string } | { readonly renew: true }

const WORDS = "words"

export async function handOver(words: NoticeWords): Promise<void> {
  const database = await open()
  await database.put("facts", words, WORDS)
  database.close()
}

export async function wordsHandedOver(): Promise<NoticeWords> {
  const database = await open()
  const found = await database.get("facts", WORDS)
  database.close()
  return found ?? PLAIN
}

function open() {
  return openDB<Stores>("famichat.worker", 1, {
    upgrade(database) {
      database.createObjectStore("facts")
    },
  })
}
