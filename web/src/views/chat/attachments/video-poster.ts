/** Measures a video, and takes a picture of it, before it is sent: the server does not decode videos. */
import type { VideoRequest } from "../../../api/types"

export interface MeasuredVideo {
  readonly video: VideoRequest
  readonly picture: Blob
}

/** The picture is of this part of the video, because many begin with a black frame. */
const PICTURE_AT = 0.1
const MAX_EDGE_PX = 1_280
const JPEG_QUALITY = 0.8
/** A video that takes longer is sent without. */
const TIMEOUT_MS = 8_000
/** Recordings of browsers do not know their length before they have been read to their end. */
const BEYOND_THE_END_S = 1e7

/** Returns the size and length of a video and a picture of it; undefined if this browser cannot play it. */
export async function measureVideo(file: Blob): Promise<MeasuredVideo | undefined> {
  const url = URL.createObjectURL(file)
  const video = document.createElement("video")
  video.muted = true
  video.playsInline = true
  video.preload = "auto"
  try {
    return await Promise.race([
      measure(video, url),
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), TIMEOUT_MS)),
    ])
  } catch {
    return undefined // The browser cannot play it, or refuses the canvas. The file is sent as it is.
  } finally {
    video.removeAttribute("src")
    video.load()
    URL.revokeObjectURL(url)
  }
}

async function measure(video: HTMLVideoElement, url: string): Promise<MeasuredVideo | undefined> {
  const loaded = once(video, "loadeddata")
  video.src = url
  await loaded
  if (!Number.isFinite(video.duration)) await seek(video, BEYOND_THE_END_S)
  const { videoWidth: width, videoHeight: height, duration } = video
  if (width === 0 || !Number.isFinite(duration)) return undefined
  await seek(video, duration * PICTURE_AT)
  const picture = await draw(video)
  return picture && { video: { width, height, duration_ms: Math.round(duration * 1_000) }, picture }
}

async function seek(video: HTMLVideoElement, seconds: number): Promise<void> {
  const sought = once(video, "seeked")
  video.currentTime = seconds
  await sought
}

async function draw(video: HTMLVideoElement): Promise<Blob | undefined> {
  const scale = Math.min(1, MAX_EDGE_PX / Math.max(video.videoWidth, video.videoHeight))
  const canvas = document.createElement("canvas")
  canvas.width = Math.max(1, Math.round(video.videoWidth * scale))
  canvas.height = Math.max(1, Math.round(video.videoHeight * scale))
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height)
  return await new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? undefined), "image/jpeg", JPEG_QUALITY))
}

function once(video: HTMLVideoElement, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    video.addEventListener(event, () => resolve(), { once: true })
    video.addEventListener("error", () => reject(new Error("unplayable")), { once: true })
  })
}
