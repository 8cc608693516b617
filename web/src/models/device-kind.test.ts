import { expect, test } from "vitest"

import { kindOfDevice, type Look } from "./device-kind"

const CHROME = "(KHTML, like Gecko) Chrome/143.0.0.0"
const look = (agent: string, more: Partial<Look> = {}): Look => ({
  agent,
  mobile: undefined,
  finger: false,
  mouse: true,
  fingers: 0,
  breadth: 1080,
  ...more,
})
const touched = (breadth: number, more: Partial<Look> = {}) => ({
  finger: true,
  mouse: false,
  fingers: 5,
  breadth,
  ...more,
})

test.each([
  ["phone", "an iPhone", look("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1", touched(393))],
  ["tablet", "an old iPad", look("Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Safari/604.1", touched(768))],
  ["tablet", "an iPad that says it is a Mac", look("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", touched(834))],
  ["computer", "a Mac", look("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", { mobile: false })],
  ["phone", "an Android phone", look(`Linux; Android 10; K) ${CHROME} Mobile`, touched(412, { mobile: true }))],
  ["phone", "Firefox on a phone", look("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Firefox/145.0", touched(412))],
  ["tablet", "an Android tablet", look(`(Linux; Android 10; K) ${CHROME}`, touched(800, { mobile: false }))],
  ["tablet", "Firefox on a tablet", look("Mozilla/5.0 (Android 15; Tablet; rv:145.0) Firefox/145.0", touched(800))],
  ["tablet", "one that asks for pages of computers", look(`(X11; Linux x86_64) ${CHROME}`, touched(800))],
  ["phone", "a phone that does", look(`(X11; Linux x86_64) ${CHROME}`, touched(412))],
  ["computer", "a laptop with a screen to touch", look("(Windows NT 10.0; Win64; x64)", { fingers: 10 })],
  ["tablet", "one without its keyboard", look("(Windows NT 10.0; Win64; x64)", touched(912))],
  ["computer", "a desktop", look(`(X11; Linux x86_64) ${CHROME}`)],
  [undefined, "a television with Android", look(`(Linux; Android 12; TV) ${CHROME}`, { mouse: false })],
  [undefined, "a games console", look("(PlayStation; PlayStation 5/6.50)", { mouse: false })],
] as const)("%s: %s", (kind, _, seen) => {
  expect(kindOfDevice(seen)).toBe(kind)
})
