import { expect, test } from "vitest"

import {
  uploadRequest,
  attachmentsOf,
  fitWithin,
  isPicture,
  shapeOf,
  messageTypeOf,
  attachmentKind,
  uploadedShare,
  formatSize,
  type PendingAttachment,
} from "./attachments"
import { attachment, message } from "../fixtures"

const enclosure: PendingAttachment = {
  key: "k",
  kind: "image",
  name: "summer.jpg",
  size: 1000,
  encrypted: false,
  keep_metadata: false,
}

test("the server learns only the size of an encrypted file", () => {
  expect(uploadRequest(enclosure)).toEqual({ size: 1000, name: "summer.jpg", keep_metadata: false })
  expect(uploadRequest({ ...enclosure, duration_ms: 5, waveform: [1] })).toMatchObject({
    duration_ms: 5,
    waveform: [1],
  })
  expect(uploadRequest({ ...enclosure, encrypted: true })).toEqual({ size: 1000, encrypted: true })
})

test("a message is called after what it carries", () => {
  expect(messageTypeOf(["image", "image"])).toBe("image")
  expect(messageTypeOf(["voice"])).toBe("voice")
  expect(messageTypeOf(["image", "file"])).toBe("file")
  expect(messageTypeOf([])).toBe("file")
})

test("a video that its sender measured is a picture with its shape, any other is a file", () => {
  const film = { ...attachment, content_type: "video/mp4" }
  const measured = { ...film, video: { width: 640, height: 360, duration_ms: 1, poster: true } }
  expect([isPicture(film), isPicture(measured), isPicture(attachment)]).toEqual([false, true, false])
  expect(shapeOf(measured)).toMatchObject({ width: 640, height: 360 })
  expect(shapeOf(film)).toBeUndefined()
})

test("a file is shown according to its type", () => {
  expect(attachmentKind({ ...attachment, content_type: "image/png", thumbnail: true })).toBe("image")
  expect(attachmentKind({ ...attachment, content_type: "audio/ogg", duration_ms: 10 })).toBe("voice")
  expect(attachmentKind({ ...attachment, content_type: "video/webm", duration_ms: 10 })).toBe("voice")
  expect(attachmentKind({ ...attachment, content_type: "video/mp4" })).toBe("video")
  expect(attachmentKind({ ...attachment, content_type: "audio/mpeg" })).toBe("file")
  expect(attachmentKind({ ...attachment, duration_ms: 10 })).toBe("file")
  expect(attachmentKind({ ...attachment, content_type: "image/heic" })).toBe("file")
})

test("a message from before there were attachments has none", () => {
  const { attachments: _, ...old } = message(1)
  expect(attachmentsOf(old as never)).toEqual([])
  expect(attachmentsOf(message(1, { attachments: [attachment] }))).toEqual([attachment])
})

test("a file that is not encrypted is not part of an encrypted message: its sender cannot have attached it", () => {
  const encrypted = { ...attachment, id: "b", encrypted: true }
  const both = message(1, { encryption_flag: true, attachments: [attachment, encrypted] })
  expect(attachmentsOf(both)).toEqual([encrypted])
})

test.each([
  [10, "0.1 kB"],
  [48_213, "48 kB"],
  [1_430_000, "1.4 MB"],
  [99_000_000, "99 MB"],
])("%i bytes are %s", (bytes, words) => {
  expect(formatSize("en", bytes)).toBe(words)
})

test("a large picture gets a smaller place of the same shape", () => {
  expect(fitWithin(1600, 1200, 320)).toEqual({ width: 320, height: 240 })
  expect(fitWithin(600, 3000, 300)).toEqual({ width: 60, height: 300 })
  expect(fitWithin(20, 10, 320)).toEqual({ width: 20, height: 10 })
})

test("progress counts bytes, of all files together", () => {
  const other = { ...enclosure, key: "o", size: 3000 }
  const sent = new Map([["k", 1000]])
  expect(uploadedShare([enclosure, other], (key) => sent.get(key) ?? 0)).toBe(0.25)
  expect(uploadedShare([], () => 0)).toBe(0)
})
