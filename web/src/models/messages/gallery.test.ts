import { expect, test } from "vitest"

import { attachment, message } from "../fixtures"
import { filesIn, linksIn, mediaByMonth } from "./gallery"

const photo = (id: string) => ({ ...attachment, id, content_type: "image/jpeg", thumbnail: true })
const film = { ...attachment, id: "film", content_type: "video/mp4" }
const voice = { ...attachment, id: "voice", content_type: "audio/mp4", duration_ms: 1_000 }
const file = { ...attachment, id: "file" }
const deleted = { deleted_at: "2026-11-23T12:00:00Z" }

test("photos and videos are by month, the newest first, in the order of each album", () => {
  const months = mediaByMonth([
    message(1, { attachments: [photo("a"), photo("b")], inserted_at: "2026-09-15T12:00:00Z" }),
    message(2, { attachments: [voice, file] }),
    message(3, { attachments: [photo("c")], inserted_at: "2026-11-15T12:00:00Z" }),
    message(4, { attachments: [film], inserted_at: "2026-11-16T12:00:00Z" }),
    message(5, { attachments: [photo("gone")], ...deleted }),
  ])
  expect(months.map(({ month, media }) => [month, media.map((each) => each.attachment.id)])).toEqual([
    ["2026-11", ["film", "c"]],
    ["2026-09", ["a", "b"]],
  ])
})

test("files are those that are neither photos, videos nor voice messages", () => {
  const found = filesIn([message(1, { attachments: [photo("a"), file, voice, film] })])
  expect(found.map((each) => each.attachment.id)).toEqual(["file"])
})

test("links come from the texts that this device can read, each once per message", () => {
  const messages = [
    message(1, { body: "https://example.org/a and https://example.org/a" }),
    message(2, { body: "no link" }),
    message(3, { body: "encrypted" }),
    message(4, { body: "https://example.org/b" }),
    message(5, { body: "https://example.org/gone", ...deleted }),
  ]
  const read = ({ seq, body }: (typeof messages)[number]) => (seq === 3 ? undefined : (body ?? undefined))
  expect(linksIn(messages, read).map(({ href, message: { seq } }) => [seq, href])).toEqual([
    [4, "https://example.org/b"],
    [1, "https://example.org/a"],
  ])
})
