/** The photos and videos of a chat, for moving from one to the next. */
import type { Message } from "../../api/types"
import { sharedIn, type SharedAttachment } from "./attachments"

/** Returns the photos and videos of messages, in the order in which they were sent. */
export function photosIn(messages: readonly Message[]): readonly SharedAttachment[] {
  return sharedIn(messages, ["image", "video"])
}

/** Returns the position of a photo, from 0; -1 if it is not there. */
export function placeOf(photos: readonly SharedAttachment[], { message, attachment }: SharedAttachment): number {
  return photos.findIndex(
    (photo) => photo.message.message_id === message.message_id && photo.attachment.id === attachment.id,
  )
}

/** Whether both are the same photos in the same order. */
export function samePhotos(some: readonly SharedAttachment[], others: readonly SharedAttachment[]): boolean {
  return some.length === others.length && some.every((photo, place) => placeOf(others, photo) === place)
}
