/** What every page has in its head, written once: `head.html` takes the place of the remark that names it. */
import { readFileSync } from "node:fs"

import type { Plugin } from "vite"

const PLACE = "<!-- head.html -->"

export function sharedHead(file: string): Plugin {
  return {
    name: "famichat:head",
    transformIndexHtml: {
      order: "pre",
      handler(page) {
        if (!page.includes(PLACE)) throw new Error(`a page has no place for ${file}`)
        return page.replace(PLACE, () => readFileSync(file, "utf8").trim())
      },
    },
  }
}
