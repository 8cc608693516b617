/** What kind of device this is, as people say it: nothing finer, because the others are told. */

export const DEVICE_KINDS = ["phone", "tablet", "computer"] as const
export type DeviceKind = (typeof DEVICE_KINDS)[number]

/** What a browser shows of what it runs on. */
export interface Look {
  /** How it calls itself. */
  readonly agent: string
  /** Whether it says that it is on a phone; not all say anything. */
  readonly mobile: boolean | undefined
  /** Whether what points is a finger, and no mouse. */
  readonly finger: boolean
  readonly mouse: boolean
  readonly fingers: number
  /** How many pixels of CSS the screen has along its shorter side. */
  readonly breadth: number
}

/** Where phones end and tablets begin, in pixels of CSS. */
const TABLET_PX = 600

/** The kind of device; nothing, where it cannot be told: a television, say. */
export function kindOfDevice(look: Look): DeviceKind | undefined {
  const { agent, mobile, finger, mouse, fingers, breadth } = look
  const held = breadth < TABLET_PX ? "phone" : "tablet"
  if (/iPhone|iPod/.test(agent)) return "phone"
  // Safari on an iPad says that it is on a Mac; no Mac has a screen to touch.
  if (/iPad/.test(agent) || (/Macintosh/.test(agent) && fingers > 1)) return "tablet"
  if (mobile === true) return "phone"
  if (/Android/.test(agent)) return /Mobile/.test(agent) ? "phone" : finger ? held : undefined
  if (mouse) return "computer"
  return finger && fingers > 0 ? held : undefined
}
