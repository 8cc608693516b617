import { readFileSync } from "node:fs"

import { svelte } from "@sveltejs/vite-plugin-svelte"
import { defineConfig } from "vitest/config"

import { baselineCss } from "./build/baseline-css"
import { browserCheck } from "./build/browser-check"
import { firstLoad } from "./build/chunks"
import { compressed } from "./build/compress"
import { emojiModules } from "./build/emoji"
import { sharedHead } from "./build/head"
import { patched, TS_MLS } from "./build/patches"
import { atMost, fileAtMost } from "./build/size"
import { SUPPORTED_BROWSERS } from "./build/supported-browsers"
import { serviceWorker } from "./build/worker"

const VERSION = /^version = "(.*)"$/m.exec(readFileSync("../pyproject.toml", "utf8"))?.[1]

export default defineConfig({
  define: { APP_VERSION: JSON.stringify(VERSION) },
  plugins: [
    patched(TS_MLS),
    svelte(),
    emojiModules(),
    sharedHead("head.html"),
    browserCheck("build/old-browser.js"),
    baselineCss(),
    serviceWorker("src/worker/worker.ts", "index", ["favicon.svg", "icon-192.png"]),
    atMost(130_000, "index"),
    fileAtMost(65_000, /engine\.worker-[\w-]+\.js$/),
    compressed(),
  ],
  build: {
    outDir: "../src/famichat/static",
    emptyOutDir: true,
    target: SUPPORTED_BROWSERS,
    // The Content-Security-Policy allows files of this server and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: "index.html", events: "events.html", docs: "docs.html" },
      output: { codeSplitting: { groups: [firstLoad("src/pages/index.ts", "src/pages/events.ts")] } },
    },
  },
  // One file without imports: Firefox supports modules in workers later than the rest.
  worker: { format: "iife", plugins: () => [patched(TS_MLS)] },
  // Without this, Vitest runs Svelte's server build, in which state is not reactive.
  ...(process.env["VITEST"] && { resolve: { conditions: ["browser", "module", "development"] } }),
  test: {
    include: ["src/**/*.test.ts", "build/*.test.ts"],
    // Otherwise Node.js would load the unpatched files.
    server: { deps: { inline: ["ts-mls"] } },
    // Enabled by `npm test`. A run of single files measures nothing, and has no threshold to miss.
    coverage: {
      provider: "v8",
      include: ["src/sync/**", "src/session/session.ts"],
      reporter: ["text-summary"],
      thresholds: {
        "src/sync/**": { lines: 90 },
        "src/session/session.ts": { lines: 90 },
      },
    },
  },
})
