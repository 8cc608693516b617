/** A text as a square of light and dark, for the camera of a phone. */
import encodeQR from "qr"

/** As many light squares are due around it (ISO/IEC 18004). */
const BORDER = 4

export interface QrCode {
  /** The edge of the square, its border included. */
  readonly edge: number
  /** The dark part of it, as an SVG path. */
  readonly path: string
}

export function qrCode(text: string): QrCode {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: BORDER })
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("")
  return { edge: rows.length, path }
}
