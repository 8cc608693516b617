/** The browser globals that the sync layer uses, in memory: storage, events, location, screen and IndexedDB. */
import "fake-indexeddb/auto"
import { IDBFactory } from "fake-indexeddb"
import { vi } from "vitest"

import { InProcessWorker } from "./in-process-worker"

/** `localStorage` and `sessionStorage`: the Web Storage API over a map. */
class MemoryStorage {
  readonly #items = new Map<string, string>()

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value)
  }

  removeItem(key: string): void {
    this.#items.delete(key)
  }
}

/** Replaces the browser globals until `vi.unstubAllGlobals`, with empty storage. */
export function installBrowser(): void {
  const events = new EventTarget()
  vi.stubGlobal("localStorage", new MemoryStorage())
  vi.stubGlobal("sessionStorage", new MemoryStorage())
  vi.stubGlobal("indexedDB", new IDBFactory())
  vi.stubGlobal("Worker", InProcessWorker)
  vi.stubGlobal("addEventListener", events.addEventListener.bind(events))
  vi.stubGlobal("removeEventListener", events.removeEventListener.bind(events))
  vi.stubGlobal("dispatchEvent", events.dispatchEvent.bind(events))
  vi.stubGlobal("location", new URL("https://chat.example/"))
  // A test of components brings its document.
  if (!("document" in globalThis)) {
    const state = { visibilityState: "visible", hidden: false, hasFocus: () => true }
    vi.stubGlobal("document", Object.assign(new EventTarget(), state))
  }
  vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw, 16))
  vi.stubGlobal("cancelAnimationFrame", clearTimeout)
  vi.stubGlobal("matchMedia", (query: string) => ({ matches: query === "(pointer: fine)" }))
  vi.stubGlobal("screen", { width: 1920, height: 1080 })
  vi.stubGlobal("navigator", {
    userAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
    maxTouchPoints: 0,
    onLine: true,
    connection: new EventTarget(),
    languages: ["en"],
  })
}

/** Dispatches the `storage` event that a browser sends when another tab changes `localStorage`. */
export function storageChanged(key: string | null): void {
  dispatchEvent(Object.assign(new Event("storage"), { key }))
}
