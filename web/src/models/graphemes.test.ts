import { expect, test, vi } from "vitest"

import { approximateGraphemes, graphemes } from "./graphemes"

const SAMPLES = ["", "Inga", "e\u0301a", "👨‍👩‍👧‍👦❤️", "🇸🇪🇯🇵", "👍🏽!", "🏴󠁧󠁢󠁳󠁣󠁴󠁿x", "家族"]

test.each(SAMPLES)("%j has the same graphemes with and without a segmenter", (text) => {
  expect(approximateGraphemes(text)).toEqual(graphemes(text))
})

test("a browser without a segmenter uses the approximation", async () => {
  vi.resetModules()
  vi.stubGlobal("Intl", { ...Intl, Segmenter: undefined })
  const { graphemes: withoutSegmenter } = await import("./graphemes")
  expect(withoutSegmenter("👍🏽👍")).toEqual(["👍🏽", "👍"])
  vi.unstubAllGlobals()
})
