import { expect, test } from "vitest"

import { kindOfDevice, type BrowserTraits } from "./device-kind"

const CHROME = "(KHTML, like Gecko) Chrome/143.0.0.0"
const traits = (userAgent: string, more: Partial<BrowserTraits> = {}): BrowserTraits => ({
  userAgent,
  mobile: undefined,
  coarsePointer: false,
  finePointer: true,
  touchPoints: 0,
  shorterSide: 1080,
  ...more,
})
const touched = (shorterSide: number, more: Partial<BrowserTraits> = {}): Partial<BrowserTraits> => ({
  coarsePointer: true,
  finePointer: false,
  touchPoints: 5,
  shorterSide,
  ...more,
})

test.each([
  ["phone", "an iPhone", traits("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1", touched(393))],
  ["tablet", "an old iPad", traits("Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Safari/604.1", touched(768))],
  ["tablet", "an iPad that says it is a Mac", traits("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", touched(834))],
  ["computer", "a Mac", traits("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", { mobile: false })],
  ["phone", "an Android phone", traits(`Linux; Android 10; K) ${CHROME} Mobile`, touched(412, { mobile: true }))],
  ["phone", "Firefox on a phone", traits("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Firefox/145.0", touched(412))],
  ["tablet", "an Android tablet", traits(`(Linux; Android 10; K) ${CHROME}`, touched(800, { mobile: false }))],
  ["tablet", "Firefox on a tablet", traits("Mozilla/5.0 (Android 15; Tablet; rv:145.0) Firefox/145.0", touched(800))],
  ["tablet", "one that asks for pages of computers", traits(`(X11; Linux x86_64) ${CHROME}`, touched(800))],
  ["phone", "a phone that does", traits(`(X11; Linux x86_64) ${CHROME}`, touched(412))],
  ["computer", "a laptop with a screen to touch", traits("(Windows NT 10.0; Win64; x64)", { touchPoints: 10 })],
  ["tablet", "one without its keyboard", traits("(Windows NT 10.0; Win64; x64)", touched(912))],
  ["computer", "a desktop", traits(`(X11; Linux x86_64) ${CHROME}`)],
  [undefined, "a television with Android", traits(`(Linux; Android 12; TV) ${CHROME}`, { finePointer: false })],
  [undefined, "a games console", traits("(PlayStation; PlayStation 5/6.50)", { finePointer: false })],
] as const)("%s: %s", (kind, _, seen) => {
  expect(kindOfDevice(seen)).toBe(kind)
})
