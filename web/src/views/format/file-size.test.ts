import { expect, test } from "vitest"

import { formatBytes } from "./file-size"

test.each([
  [0, "0 byte"],
  [999, "999 byte"],
  [1_000, "1 kB"],
  [1_234_567, "1.2 MB"],
  [98_765_432, "99 MB"],
  [5_000_000_000_000_000, "5,000 TB"],
])("%d bytes are %s", (bytes, words) => {
  expect(formatBytes("en", bytes)).toBe(words)
})
