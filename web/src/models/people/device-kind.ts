/** The kind of this device. No more detail, because other members can see it. */
import type { DeviceKind } from "../../api/types"

export const DEVICE_KINDS: readonly DeviceKind[] = ["phone", "tablet", "computer"]

/** What a browser reveals about its device. */
export interface BrowserTraits {
  /** The user agent string. */
  readonly userAgent: string
  /** Whether it reports a mobile device; not all browsers report this. */
  readonly mobile: boolean | undefined
  /** Whether the primary pointer is a finger rather than a mouse. */
  readonly coarsePointer: boolean
  readonly finePointer: boolean
  readonly touchPoints: number
  /** Shorter side of the screen in CSS pixels. */
  readonly shorterSide: number
}

/** Smallest shorter side of a tablet, in CSS pixels. */
const TABLET_PX = 600

/** The kind of device, or undefined if unknown, e.g. for a television. */
export function kindOfDevice(traits: BrowserTraits): DeviceKind | undefined {
  const { userAgent, mobile, coarsePointer, finePointer, touchPoints, shorterSide } = traits
  const handheld = shorterSide < TABLET_PX ? "phone" : "tablet"
  if (/iPhone|iPod/.test(userAgent)) return "phone"
  // Safari on an iPad identifies as a Mac, but Macs have no touch screens.
  if (/iPad/.test(userAgent) || (/Macintosh/.test(userAgent) && touchPoints > 1)) return "tablet"
  if (mobile === true) return "phone"
  if (/Android/.test(userAgent)) return /Mobile/.test(userAgent) ? "phone" : coarsePointer ? handheld : undefined
  if (finePointer) return "computer"
  return coarsePointer && touchPoints > 0 ? handheld : undefined
}
