import { expect, test } from "vitest"

import { attachment, message } from "../fixtures"
import { photosIn, placeOf, samePhotos } from "./photos"

const photo = (id: string) => ({ ...attachment, id, content_type: "image/jpeg", thumbnail: true })

test("the photos of a chat are in the order of the messages, and of each message", () => {
  const shown = photosIn([
    message(1, { attachments: [photo("a"), attachment, photo("b")] }),
    message(2),
    message(3, { attachments: [photo("c")] }),
  ])
  expect(shown.map(({ attachment: { id } }) => id)).toEqual(["a", "b", "c"])
  expect(shown.map(({ message: { seq } }) => seq)).toEqual([1, 1, 3])
})

test("a deleted message has no photos", () => {
  expect(photosIn([message(1, { attachments: [photo("a")], deleted_at: "2026-11-23T12:00:00Z" })])).toEqual([])
})

test("a photo is found again after its message was edited, and not when it is gone", () => {
  const [before] = photosIn([message(2, { attachments: [photo("a")] })])
  const after = photosIn([
    message(1, { attachments: [photo("z")] }),
    message(2, { attachments: [photo("a")], body: "Edited", change: 1 }),
  ])
  expect(placeOf(after, before!)).toBe(1)
  expect(placeOf([], before!)).toBe(-1)
})

test("an edited text leaves the same photos, an added or removed photo does not", () => {
  const before = photosIn([message(1, { attachments: [photo("a"), photo("b")] })])
  expect(samePhotos(before, photosIn([message(1, { attachments: [photo("a"), photo("b")], body: "Edited" })]))).toBe(
    true,
  )
  expect(samePhotos(before, photosIn([message(1, { attachments: [photo("a")] })]))).toBe(false)
  expect(samePhotos(before, photosIn([message(1, { attachments: [photo("b"), photo("a")] })]))).toBe(false)
})
