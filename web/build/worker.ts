/** Builds the service worker: one file, which knows by name the files that a page needs. */
import { createHash } from "node:crypto"

import { build, type Plugin, type Rolldown } from "vite"

import { SUPPORTED_BROWSERS } from "./supported-browsers"

type Bundle = Rolldown.OutputBundle

/** The worker in `source` becomes `/worker.js`, and keeps what `page` loads at once or later, and the `publicFiles`. */
export function serviceWorker(source: string, page: string, publicFiles: readonly string[]): Plugin {
  return {
    name: "famichat:worker",
    apply: "build",
    generateBundle: {
      order: "post",
      async handler(_, bundle) {
        const files = [...neededBy(page, bundle), ...publicFiles].map((name) => `/${name}`).sort()
        const version = hashOf([...files, content(bundle[`${page}.html`])])
        this.emitFile({ type: "asset", fileName: "worker.js", source: await built(source, files, version) })
      },
    },
  }
}

function neededBy(page: string, bundle: Bundle): Set<string> {
  const needed = new Set(Object.keys(bundle).filter((name) => /\.woff2$|browser-check/.test(name)))
  // Vite builds the web worker of a chunk as an asset, and records nowhere that the chunk needs it.
  const webWorkers = Object.keys(bundle).filter((name) => bundle[name]?.type === "asset" && name.endsWith(".js"))
  const take = (name: string) => {
    const part = bundle[name]
    if (part?.type !== "chunk" || needed.has(name)) return
    needed.add(name)
    part.viteMetadata?.importedCss.forEach((css) => needed.add(css))
    part.viteMetadata?.importedAssets.forEach((asset) => needed.add(asset))
    webWorkers.filter((worker) => part.code.includes(worker)).forEach((worker) => needed.add(worker))
    part.imports.forEach(take)
    part.dynamicImports.forEach(take)
  }
  const html = content(bundle[`${page}.html`])
  for (const name of Object.keys(bundle)) if (html.includes(`/${name}"`)) take(name)
  return needed
}

async function built(source: string, files: readonly string[], version: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    define: { FILES: JSON.stringify(files), VERSION: JSON.stringify(version) },
    build: {
      write: false,
      target: SUPPORTED_BROWSERS,
      modulePreload: false,
      rolldownOptions: { input: source, output: { format: "iife", entryFileNames: "worker.js" } },
    },
  })
  const [output] = [result].flat()
  if (!output || !("output" in output)) throw new Error("the service worker was not built")
  return output.output[0].code
}

function content(part: Bundle[string] | undefined): string {
  return part?.type === "asset" ? String(part.source) : ""
}

function hashOf(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12)
}
