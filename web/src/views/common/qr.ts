/** QR codes as SVG paths. */
import encodeQR from "qr"

/** Width of the quiet zone in modules (ISO/IEC 18004). */
const BORDER = 4

export interface QrCode {
  /** Edge length in modules, including the quiet zone. */
  readonly edge: number
  /** The dark modules as an SVG path. */
  readonly path: string
}

export function qrCode(text: string): QrCode {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: BORDER })
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("")
  return { edge: rows.length, path }
}
