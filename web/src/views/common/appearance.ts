/** How this device shows Famichat: the theme, the size of texts, and the background of chats. */
import { writable, type Readable } from "svelte/store"

export const THEMES = ["system", "light", "dark"] as const
/** In percent. */
export const TEXT_SIZES = ["90", "100", "115", "130", "150", "175", "200"] as const
/** `theme.css` has their colours. */
export const BACKGROUNDS = ["paper", "sand", "moss", "sea", "iris", "rose", "stone"] as const

export interface Setting<Value> extends Readable<Value> {
  /** Applies a value, here and in the other tabs, and keeps it. */
  readonly set: (value: Value) => void
}

const root = document.documentElement
/** The colour of the browser's own bars, for each theme. */
const barColors = [...document.querySelectorAll<HTMLMetaElement>("meta[name='theme-color']")].map((meta) => ({
  meta,
  color: meta.content,
  theme: meta.matches("[media*='dark']") ? "dark" : "light",
}))

export const theme = setting("theme", THEMES, "system", (chosen) => {
  if (chosen === "system") delete root.dataset["theme"]
  else root.dataset["theme"] = chosen
  for (const { meta, color } of barColors) {
    meta.content = barColors.find((each) => each.theme === chosen)?.color ?? color
  }
})

export const textSize = setting("text-size", TEXT_SIZES, "100", (percent) =>
  root.style.setProperty("--text-size", String(Number(percent) / 100)),
)

export const background = setting("background", BACKGROUNDS, "paper", (name) => {
  root.dataset["background"] = name
})

function setting<Value extends string>(
  name: string,
  values: readonly Value[],
  initial: Value,
  apply: (value: Value) => void,
): Setting<Value> {
  const key = `famichat.${name}`
  const valueOf = (stored: string | null) => values.find((each) => each === stored) ?? initial
  const { subscribe, set } = writable(valueOf(localStorage.getItem(key)))
  subscribe(apply)
  addEventListener("storage", (event) => {
    if (event.key === key) set(valueOf(event.newValue))
  })
  return {
    subscribe,
    set(value) {
      localStorage.setItem(key, value)
      set(value)
    },
  }
}
