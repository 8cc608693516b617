/** A picture made small before it goes to the server: what a phone takes is hundreds of times what is shown of a person. */

/** Twice what is shown at most, so that the server, which cuts it to a square, has enough of it. */
const MIN_EDGE_PX = 512

/** A smaller copy of a picture; the picture itself where it is small, or this browser cannot read it. */
export async function resizePicture(picture: Blob): Promise<Blob> {
  const bitmap = await read(picture)
  if (bitmap === undefined) return picture
  const scale = MIN_EDGE_PX / Math.min(bitmap.width, bitmap.height)
  if (scale >= 1) return picture
  const canvas = document.createElement("canvas")
  canvas.width = Math.round(bitmap.width * scale)
  canvas.height = Math.round(bitmap.height * scale)
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  return (await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"))) ?? picture
}

/** What is read here is upright already. An iPhone's HEIC, say, only the server can read. */
async function read(picture: Blob): Promise<ImageBitmap | undefined> {
  try {
    return await createImageBitmap(picture)
  } catch {
    return undefined
  }
}
