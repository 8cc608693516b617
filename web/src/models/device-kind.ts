/** What kind of device this is, as people say it: nothing finer, because the others are told. */
import type { DeviceKind } from "../api/types"

export const DEVICE_KINDS: readonly DeviceKind[] = ["phone", "tablet", "computer"]

/** What a browser shows of what it runs on. */
export interface BrowserTraits {
  /** How it calls itself. */
  readonly userAgent: string
  /** Whether it says that it is on a phone; not all say anything. */
  readonly mobile: boolean | undefined
  /** Whether what points is a finger, and no mouse. */
  readonly coarsePointer: boolean
  readonly finePointer: boolean
  readonly touchPoints: number
  /** How many pixels of CSS the screen has along its shorter side. */
  readonly shorterSide: number
}

/** Where phones end and tablets begin, in pixels of CSS. */
const TABLET_PX = 600

/** The kind of device; nothing, where it cannot be told: a television, say. */
export function kindOfDevice(traits: BrowserTraits): DeviceKind | undefined {
  const { userAgent, mobile, coarsePointer, finePointer, touchPoints, shorterSide } = traits
  const handheld = shorterSide < TABLET_PX ? "phone" : "tablet"
  if (/iPhone|iPod/.test(userAgent)) return "phone"
  // Safari on an iPad says that it is on a Mac; no Mac has a screen to touch.
  if (/iPad/.test(userAgent) || (/Macintosh/.test(userAgent) && touchPoints > 1)) return "tablet"
  if (mobile === true) return "phone"
  if (/Android/.test(userAgent)) return /Mobile/.test(userAgent) ? "phone" : coarsePointer ? handheld : undefined
  if (finePointer) return "computer"
  return coarsePointer && touchPoints > 0 ? handheld : undefined
}
