/** Writes a Brotli and a gzip file beside each text file of the build. The server sends the one that the client accepts. */
import { brotliCompressSync, constants, gzipSync } from "node:zlib"

import type { Plugin, Rolldown } from "vite"

/** Fonts (WOFF2) and PNGs are compressed already. */
const TEXT = /^assets\/.*\.(js|css|svg)$/
/** Smaller files fit into the packet that carries the headers. */
const WORTHWHILE_BYTES = 1024

export function compressed(): Plugin {
  return {
    name: "famichat:compress",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        for (const part of Object.values(bundle)) {
          const source = contentOf(part)
          if (!TEXT.test(part.fileName) || source.length < WORTHWHILE_BYTES) continue
          this.emitFile({ type: "asset", fileName: `${part.fileName}.br`, source: brotli(source) })
          this.emitFile({ type: "asset", fileName: `${part.fileName}.gz`, source: gzipSync(source, { level: 9 }) })
        }
      },
    },
  }
}

/** Compresses as much as Brotli can: it happens once, ahead of time. */
export function brotli(source: Uint8Array): Buffer {
  return brotliCompressSync(source, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: source.length } })
}

export function contentOf(part: Rolldown.OutputChunk | Rolldown.OutputAsset): Buffer {
  return Buffer.from(part.type === "chunk" ? part.code : part.source)
}
