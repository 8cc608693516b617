/** What a chat contains besides texts: photos and videos by month, files, and links. The newest are first. */
import type { Message } from "../../api/types"
import { linkify } from "../text/linkify"
import { sharedIn, type SharedAttachment } from "./attachments"
import { dateOf } from "./grouping"

export interface GalleryMonth {
  /** `2026-11`, in the time zone of the device. */
  readonly month: string
  readonly media: readonly SharedAttachment[]
}

export interface SharedLink {
  readonly message: Message
  readonly href: string
  readonly text: string
}

const MONTH_LENGTH = "2026-11".length

/** Returns the photos and videos. */
export function mediaByMonth(messages: readonly Message[]): readonly GalleryMonth[] {
  const months = new Map<string, SharedAttachment[]>()
  for (const shared of sharedIn([...messages].reverse(), ["image", "video"])) {
    const month = dateOf(shared.message.inserted_at).slice(0, MONTH_LENGTH)
    months.set(month, [...(months.get(month) ?? []), shared])
  }
  return [...months].map(([month, media]) => ({ month, media }))
}

export function filesIn(messages: readonly Message[]): readonly SharedAttachment[] {
  return sharedIn([...messages].reverse(), ["file"])
}

/** Returns the links in texts, each once per message. `read` returns a decrypted text. */
export function linksIn(
  messages: readonly Message[],
  read: (message: Message) => string | undefined,
): readonly SharedLink[] {
  return [...messages].reverse().flatMap((message) => {
    if (message.deleted_at !== null) return []
    const links = linkify(read(message) ?? "").flatMap((part) => (part.kind === "link" ? [part] : []))
    return [...new Map(links.map((link) => [link.href, link])).values()].map(({ href, text }) => ({
      message,
      href,
      text,
    }))
  })
}
