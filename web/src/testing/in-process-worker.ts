/** The search worker, run by the test itself: messages are copied, and arrive later, as between threads. */
import { SearchService } from "../device/search-service"
import type { SearchRequest } from "../device/search-worker"

export class InProcessWorker {
  onmessage: ((event: { data: unknown }) => void) | undefined
  readonly #service: SearchService
  #terminated = false

  constructor(_url: string, { name }: { name: string }) {
    this.#service = new SearchService(name)
  }

  postMessage(message: SearchRequest): void {
    const { id, operation, values } = structuredClone(message)
    const run = this.#service[operation].bind(this.#service) as (...values: readonly unknown[]) => Promise<unknown>
    void Promise.resolve()
      .then(() => (this.#terminated ? undefined : run(...values)))
      .then((result) => {
        if (!this.#terminated) this.onmessage?.({ data: structuredClone({ id, result }) })
      })
  }

  terminate(): void {
    this.#terminated = true
  }
}
