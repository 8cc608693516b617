import { expect, test, vi } from "vitest"

import { approximateGraphemes, graphemes, withFewMarks } from "./graphemes"

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

test("marks are limited, and names in scripts with several marks per letter are not changed", () => {
  expect(withFewMarks(`Z${"\u0300".repeat(120)}!`)).toBe(`Z${"\u0300".repeat(8)}!`)
  expect(["Nguyễn", "שָׁלוֹם", "བསྒྲུབས"].map(withFewMarks)).toEqual(["Nguyễn", "שָׁלוֹם", "བསྒྲུབས"])
})
