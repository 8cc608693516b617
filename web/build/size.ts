/** Fails the build when the client's first load grows too large. */
import { gzipSync } from "node:zlib"

import type { Plugin } from "vite"

/** What `page` loads before anything is shown may have this many bytes of compressed JavaScript. */
export function atMost(bytes: number, page: string): Plugin {
  return {
    name: "famichat:size",
    apply: "build",
    generateBundle(_, bundle) {
      const sizes = new Map<string, number>()
      const take = (name: string) => {
        const part = bundle[name]
        if (part?.type !== "chunk" || sizes.has(name)) return
        sizes.set(name, gzipSync(part.code).length)
        part.imports.forEach(take)
      }
      for (const part of Object.values(bundle)) {
        if (part.type === "chunk" && part.isEntry && part.name === page) take(part.fileName)
      }
      const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
      if (total === 0) this.error(`there is no page called ${page}`)
      if (total >= bytes) this.error(`${page} loads ${total} bytes of compressed JavaScript; ${bytes} are allowed`)
    },
  }
}
