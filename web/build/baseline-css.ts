/** Refuses to build a style sheet with CSS that the oldest supported browsers lack, after what Vite translates. */
import css from "@eslint/css"
import { Linter } from "eslint"
import type { Plugin } from "vite"

/** Properties without which a page looks different, but works. */
const OPTIONAL = [
  "accent-color",
  "backdrop-filter",
  "field-sizing", // The composer then measures its text.
  "line-clamp", // The prefixed form is there, too.
  "outline", // It then has square corners.
  "overflow-anchor", // Only turned off.
  "overscroll-behavior",
  "resize",
  "text-size-adjust",
  "text-wrap",
  "user-select",
]
const VALUES = {
  "font-family": ["ui-monospace"],
  "text-align": ["match-parent"],
  "word-break": ["auto-phrase"], // Japanese lines then also end inside words.
}

const CONFIG: Linter.Config = {
  files: ["**/*.css"],
  plugins: { css },
  language: "css/css",
  rules: { "css/use-baseline": ["error", { available: 2022, allowProperties: OPTIONAL, allowPropertyValues: VALUES }] },
}

export function baselineCss(): Plugin {
  return {
    name: "famichat:baseline-css",
    apply: "build",
    generateBundle(_, bundle) {
      const linter = new Linter()
      const faults = Object.values(bundle).flatMap((asset) => {
        if (asset.type !== "asset" || !asset.fileName.endsWith(".css")) return []
        return linter.verify(String(asset.source), [CONFIG], "style.css").map(({ message }) => message)
      })
      if (faults.length > 0) this.error([...new Set(faults)].join("\n"))
    },
  }
}
