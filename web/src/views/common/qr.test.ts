import decodeQR from "qr/decode.js"
import { expect, test } from "vitest"

import { qrCode } from "./qr"

const SCALE = 4

/** Renders the path as a camera would see it. */
function seen(text: string) {
  const { edge, path } = qrCode(text)
  const dark = new Set(path.match(/(?<=M)\d+ \d+/g))
  const side = edge * SCALE
  const data = new Uint8Array(side * side * 4).fill(255)
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      if (dark.has(`${Math.floor(x / SCALE)} ${Math.floor(y / SCALE)}`))
        data.fill(0, (y * side + x) * 4, (y * side + x) * 4 + 3)
    }
  }
  return { width: side, height: side, data }
}

test("a camera can read the QR code", () => {
  const link = "https://chat.sundqvist.example/invite#Zm9yIG9uZSBwZXJzb24sIG9uY2Uh-_8"
  expect(decodeQR(seen(link))).toBe(link)
})
