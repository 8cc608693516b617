/** Downscales a picture before upload: a phone's photo has far more pixels than an avatar. */

/** Twice the largest display size, so that enough is left when the server crops it to a square. */
const MIN_EDGE_PX = 512

/** Returns a smaller copy; the original if it is small enough or this browser cannot decode it. */
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

/** Decoded pictures are already upright. Some formats, such as HEIC, only the server can decode. */
async function read(picture: Blob): Promise<ImageBitmap | undefined> {
  try {
    return await createImageBitmap(picture)
  } catch {
    return undefined
  }
}
