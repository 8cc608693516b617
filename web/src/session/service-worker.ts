/** The service worker, as pages see it: started once, given its words, heard when it asks for something. */
import { handOver, type Errand } from "../worker/page-bridge"
import type { NoticeWords } from "../worker/notification"

const ADDRESS = "/worker.js"

interface Policy {
  createScriptURL(address: string): string
}

/** Start it, where the browser has one. Over plain HTTP none does. */
export async function startWorker(): Promise<void> {
  await workers()?.register(address())
}

/** Leave it the words of its notices. */
export async function tellWords(words: NoticeWords): Promise<void> {
  if (workers()) await handOver(words)
}

/** Do what it asks for. The answer ends that. */
export function hearErrands(run: (errand: Errand) => void): () => void {
  const hear = ({ data }: MessageEvent<Errand>) => run(data)
  workers()?.addEventListener("message", hear)
  workers()?.startMessages()
  return () => workers()?.removeEventListener("message", hear)
}

export function workers(): ServiceWorkerContainer | undefined {
  return (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker
}

/** Where Trusted Types are enforced, a worker's address must come from a policy: this one knows no other address. */
function address(): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes
  return types?.createPolicy("famichat-worker", { createScriptURL: () => ADDRESS }).createScriptURL(ADDRESS) ?? ADDRESS
}
