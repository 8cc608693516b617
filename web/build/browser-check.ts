/** Adds a classic script to each page that tells users of a browser without module scripts or newer functions. */
import { readFileSync } from "node:fs"

import type { Plugin } from "vite"

export function browserCheck(file: string): Plugin {
  return {
    name: "famichat:browser-check",
    apply: "build",
    buildStart() {
      this.emitFile({ type: "asset", name: "browser-check.js", source: readFileSync(file) })
    },
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle }) {
        const script = Object.keys(bundle ?? {}).find((name) => name.includes("browser-check"))
        if (script === undefined) throw new Error(`${file} is not in the bundle`)
        return [{ tag: "script", attrs: { src: `/${script}` }, injectTo: "body" }]
      },
    },
  }
}
