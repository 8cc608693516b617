// @vitest-environment happy-dom
/** The appearance of this device: applied, kept, the same in all tabs, and legible on each background. */
import { readFileSync } from "node:fs"

import { get } from "svelte/store"
import { beforeEach, expect, test, vi } from "vitest"

const CSS = readFileSync("src/views/theme.css", "utf8")
const MIN_CONTRAST = 4.5
const root = document.documentElement

beforeEach(() => {
  localStorage.clear()
  vi.resetModules()
  document.head.innerHTML = `
    <meta name="theme-color" media="(prefers-color-scheme: light)" content="#ffffff" />
    <meta name="theme-color" media="(prefers-color-scheme: dark)" content="#000000" />`
})

const load = () => import("./appearance")
const barColors = () => [...document.querySelectorAll("meta")].map(({ content }) => content)

test("a theme is applied to the page and to the browser's bars, until the system decides again", async () => {
  const { theme } = await load()
  expect(root.dataset["theme"]).toBeUndefined()
  theme.set("dark")
  expect(root.dataset["theme"]).toBe("dark")
  expect(barColors()).toEqual(["#000000", "#000000"])
  theme.set("system")
  expect(root.dataset["theme"]).toBeUndefined()
  expect(barColors()).toEqual(["#ffffff", "#000000"])
})

test("the size of texts and the background are kept for the next start", async () => {
  const before = await load()
  before.textSize.set("150")
  before.background.set("sea")
  vi.resetModules()
  const after = await load()
  expect([get(after.textSize), get(after.background)]).toEqual(["150", "sea"])
  expect(root.style.getPropertyValue("--text-size")).toBe("1.5")
  expect(root.dataset["background"]).toBe("sea")
})

test("a value of another version is ignored", async () => {
  localStorage.setItem("famichat.text-size", "9000")
  const { textSize } = await load()
  expect(get(textSize)).toBe("100")
})

test("a change in another tab is applied here", async () => {
  const { theme } = await load()
  dispatchEvent(new StorageEvent("storage", { key: "famichat.theme", newValue: "light" }))
  expect(get(theme)).toBe("light")
  dispatchEvent(new StorageEvent("storage", { key: "famichat.theme", newValue: null }))
  expect(get(theme)).toBe("system")
})

test("texts have a contrast of 4.5:1 on every background, light and dark", async () => {
  const { BACKGROUNDS } = await load()
  const coloured = BACKGROUNDS.filter((each) => each !== "paper")
  for (const [index, scheme] of ["light", "dark"].entries()) {
    for (const name of coloured) {
      const ground = colorsOf(new RegExp(`data-background="${name}"\\] \\{\\s*--chat: (.*);`))[index]!
      for (const text of ["ink", "ink-soft", "accent", "bad"]) {
        const ratio = contrast(colorsOf(new RegExp(`--${text}: (.*);`))[index]!, ground)
        expect(ratio, `${text} on ${name}, ${scheme}`).toBeGreaterThanOrEqual(MIN_CONTRAST)
      }
    }
  }
})

/** The light and the dark colour of a declaration. */
function colorsOf(declaration: RegExp): readonly string[] {
  return declaration.exec(CSS)?.[1]?.match(/#[\da-f]{6}/g) ?? expect.fail(`no colours at ${declaration}`)
}

/** The contrast ratio of WCAG 2.2. */
function contrast(one: string, other: string): number {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number]
  return (lighter + 0.05) / (darker + 0.05)
}

function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((start) => {
    const channel = parseInt(color.slice(start, start + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
