/** Shows photos and videos with PhotoSwipe: swipe, pinch and double-tap zoom, and dragging down to close. */
import PhotoSwipe, { type SlideData } from "photoswipe"

import { attachmentKind, shapeOf, type SharedAttachment } from "../../../models/messages/attachments"

type Content = NonNullable<PhotoSwipe["currSlide"]>["content"]

const VIDEO = "video"
/** Height of the controls that a browser shows at the lower edge of a video. */
const CONTROLS_PX = 72
const ANIMATION_MS = 200
/** Zoom of a double tap, and at most, in multiples of the size that fits the screen. */
const [DOUBLE_TAP_ZOOM, MAX_ZOOM] = [2.5, 4]
/** What PhotoSwipe would draw itself. It needs `innerHTML`, which the Content-Security-Policy forbids. */
const NO_CONTROLS = { close: false, arrowPrev: false, arrowNext: false, zoom: false, preloader: false, counter: false }

export interface Stage {
  /** The dialog that shows the photos. */
  readonly element: HTMLElement
  /** Loads a photo, and its thumbnail for formats that this browser cannot display, such as HEIC originals. */
  readonly load: (photo: SharedAttachment) => Promise<readonly Blob[]>
  readonly alt: (photo: SharedAttachment) => string
  readonly unavailable: string
  /** Shows a video in an element, and returns how to remove it. */
  readonly showVideo: (video: SharedAttachment, element: HTMLElement) => () => void
  /** Another photo is shown. */
  readonly changed: (index: number) => void
  /** The user tapped the photo. */
  readonly tapped: () => void
  readonly closed: () => void
}

/**
 * Opens the photos.
 *
 * @param photos from left to right
 * @param index the photo to show
 * @param tile the pressed tile, from which the photo grows; without it, there is no animation
 */
export function openPhotos(
  stage: Stage,
  photos: readonly SharedAttachment[],
  index: number,
  tile?: HTMLElement,
): PhotoSwipe {
  const swipe = new PhotoSwipe({
    dataSource: photos.map(({ attachment }, place) => slide(attachment, place === index ? tile : undefined)),
    index,
    appendToEl: stage.element,
    ...NO_CONTROLS,
    showHideAnimationType: tile ? "zoom" : "none",
    showAnimationDuration: ANIMATION_MS,
    hideAnimationDuration: ANIMATION_MS,
    zoomAnimationDuration: ANIMATION_MS,
    bgOpacity: 1,
    loop: false,
    preload: [1, 1],
    // The dialog does this.
    escKey: false,
    trapFocus: false,
    returnFocus: false,
    initialZoomLevel: "fit",
    secondaryZoomLevel: ({ fit }) => fit * DOUBLE_TAP_ZOOM,
    maxZoomLevel: ({ fit }) => Math.max(fit * MAX_ZOOM, 1),
    imageClickAction: "zoom",
    tapAction: stage.tapped,
    errorMsg: stage.unavailable,
  })
  swipe.on("contentLoadImage", (event) => {
    event.preventDefault()
    const photo = photos[event.content.index]
    if (photo) void fill(stage, photo, event.content)
  })
  addVideos(swipe, stage, photos)
  // PhotoSwipe would move the focus with the first Tab.
  swipe.on("keydown", (event) => {
    if (event.originalEvent.key === "Tab") event.preventDefault()
  })
  swipe.on("afterInit", () => swipe.element?.removeAttribute("role")) // it is within a dialog
  swipe.on("change", () => stage.changed(swipe.currIndex))
  swipe.on("destroy", stage.closed)
  swipe.init()
  return swipe
}

/** Removes the photos without animation, whatever they are doing. */
export function removePhotos(swipe: PhotoSwipe): void {
  swipe.isDestroying = true // otherwise it would first close, which it cannot while it opens
  swipe.destroy()
}

/** Videos are not zoomed, and stop when the next photo is shown. */
function addVideos(swipe: PhotoSwipe, stage: Stage, photos: readonly SharedAttachment[]): void {
  const shown = new Map<Content, () => void>()
  swipe.on("contentLoad", (event) => {
    const { content } = event
    const video = photos[content.index]
    if (content.type !== VIDEO || !video) return
    event.preventDefault()
    const element = document.createElement("div")
    content.element = element
    content.state = "loaded"
    shown.set(content, stage.showVideo(video, element))
  })
  swipe.on("contentDeactivate", ({ content }) => content.element?.querySelector("video")?.pause())
  swipe.on("contentDestroy", ({ content }) => {
    shown.get(content)?.()
    shown.delete(content)
  })
  // Its own controls are dragged, not the video.
  swipe.on("pointerDown", (event) => {
    const { target, clientY } = event.originalEvent
    if (!(target instanceof HTMLVideoElement)) return
    if (clientY > target.getBoundingClientRect().bottom - CONTROLS_PX) event.preventDefault()
  })
}

function slide(attachment: SharedAttachment["attachment"], tile: HTMLElement | undefined): SlideData {
  const { width, height } = shapeOf(attachment) ?? { width: innerWidth, height: innerHeight }
  if (attachmentKind(attachment) === VIDEO) return { type: VIDEO, width, height }
  const thumbnail = tile?.querySelector("img")?.src
  return {
    type: "image",
    width,
    height,
    ...(tile && thumbnail !== undefined && { element: tile, msrc: thumbnail, thumbCropped: true }),
  }
}

/** Loads the bytes of a photo into its slide. */
async function fill(stage: Stage, photo: SharedAttachment, content: Content): Promise<void> {
  const image = content.element as HTMLImageElement
  image.alt = stage.alt(photo)
  content.state = "loading"
  for (const blob of await stage.load(photo)) {
    if (content.element !== image) return // it was removed meanwhile
    if (await draws(image, blob)) {
      content.onLoaded()
      return
    }
  }
  if (content.element === image) content.onError()
}

/** Whether the browser can display it. The decoded picture stays when the URL is gone. */
async function draws(image: HTMLImageElement, blob: Blob): Promise<boolean> {
  const url = URL.createObjectURL(blob)
  try {
    return await new Promise<boolean>((resolve) => {
      image.onload = () => resolve(true)
      image.onerror = () => resolve(false)
      image.src = url
    })
  } finally {
    URL.revokeObjectURL(url)
  }
}
