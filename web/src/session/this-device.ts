/** Name and kind of this device. */
import { kindOfDevice } from "../models/people/device-kind"
import type { DeviceKind } from "../api/types"

interface Kind {
  readonly device_kind?: DeviceKind
}

/** Returns the device's name and kind, for a sign-in. */
export function thisDevice(): Kind & { readonly device_name: string } {
  return { device_name: deviceName(), ...thisDeviceKind() }
}

/** Returns the device's kind, for a token refresh: older sessions have not reported it yet. */
export function thisDeviceKind(): Kind {
  const { userAgent, maxTouchPoints, userAgentData } = navigator as Navigator & {
    readonly userAgentData?: { readonly mobile: boolean }
  }
  const kind = kindOfDevice({
    userAgent: userAgent,
    mobile: userAgentData?.mobile,
    coarsePointer: matchMedia("(pointer: coarse)").matches,
    finePointer: matchMedia("(pointer: fine)").matches,
    touchPoints: maxTouchPoints,
    shorterSide: Math.min(screen.width, screen.height),
  })
  return kind === undefined ? {} : { device_kind: kind }
}

function deviceName(agent: string = navigator.userAgent): string {
  const browser = [/Firefox/, /Edg/, /Chrome|CriOS/, /Safari/].find((each) => each.test(agent))
  const system = [/iPhone/, /iPad/, /Android/, /Windows/, /Mac OS/, /Linux/].find((each) => each.test(agent))
  const names = [
    browser?.source.replace("Edg", "Edge").replace("|CriOS", "") ?? "Browser",
    system?.source ?? "a computer",
  ]
  return names.join(", ")
}
