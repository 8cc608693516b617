/** Communication between pages and the service worker: notification texts, and messages to pages. */
import { openDB, type DBSchema } from "idb"

import { DEFAULT_TEXTS, type NotificationTexts } from "./notification"

interface Stores extends DBSchema {
  facts: { key: string; value: NotificationTexts }
}

/** A message to a page: open a conversation, or renew the push subscription. */
export type WorkerMessage = { readonly open: string } | { readonly renew: true }

/** A message from a page to a waiting service worker: replace the active one. */
export interface PageMessage {
  readonly activate: true
}

const TEXTS_KEY = "words"

export async function saveTexts(texts: NotificationTexts): Promise<void> {
  const database = await open()
  await database.put("facts", texts, TEXTS_KEY)
  database.close()
}

export async function loadTexts(): Promise<NotificationTexts> {
  const database = await open()
  const found = await database.get("facts", TEXTS_KEY)
  database.close()
  return { ...DEFAULT_TEXTS, ...found } // those of an older page lack some
}

function open() {
  return openDB<Stores>("famichat.worker", 1, {
    upgrade(database) {
      database.createObjectStore("facts")
    },
  })
}
