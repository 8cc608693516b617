/** Fails the build when the client's first load grows too large. */
import type { Plugin, Rolldown } from "vite"

import { brotli, contentOf } from "./compress"

/**
 * What `page` loads before anything is shown may have this many bytes on the wire: the page, its scripts and style
 * sheets in Brotli, and the font for Latin text. The headers of the responses are not counted.
 */
export function atMost(bytes: number, page: string): Plugin {
  return {
    name: "famichat:size",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const html = bundle[`${page}.html`]
        if (!html) this.error(`there is no page called ${page}`)
        const text = contentOf(html).toString()
        const loaded = Object.values(bundle).filter(
          ({ fileName }) => text.includes(`/${fileName}"`) || isFont(fileName),
        )
        const total = [html, ...loaded].reduce((sum, part) => sum + wireBytes(part), 0)
        if (total > bytes) this.error(`${page} loads ${total} bytes; ${bytes} are allowed`)
        this.info(`${page} loads ${total} bytes`)
      },
    },
  }
}

/** Fails the build when a file grows too large that is loaded only where it is needed. */
export function fileAtMost(bytes: number, name: RegExp): Plugin {
  return {
    name: "famichat:file-size",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const file = Object.values(bundle).find(({ fileName }) => name.test(fileName))
        if (!file) this.error(`there is no file ${name.source}`)
        const size = wireBytes(file)
        if (size > bytes) this.error(`${file.fileName} has ${size} bytes; ${bytes} are allowed`)
      },
    },
  }
}

function isFont(name: string): boolean {
  return /-latin-wght-normal-[\w-]+\.woff2$/.test(name)
}

function wireBytes(part: Rolldown.OutputChunk | Rolldown.OutputAsset): number {
  const content = contentOf(part)
  return isFont(part.fileName) ? content.length : brotli(content).length
}
