/** The page's side of the search worker. */
import type { SearchOperations } from "./search-service"
import type { SearchReply, SearchRequest } from "./search-worker"

/** A worker, or what replaces it in a test. */
export type SearchPort = Pick<Worker, "postMessage" | "terminate" | "onmessage" | "onerror">

type Result<Operation extends keyof SearchOperations> = Awaited<ReturnType<SearchOperations[Operation]>>

export class SearchClient {
  readonly #port: SearchPort
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #requests = 0
  /** False once the worker cannot run or is closed; operations then return undefined. */
  working = true

  constructor(userId: string, start: (userId: string) => SearchPort = startWorker) {
    this.#port = start(userId)
    this.#port.onmessage = ({ data: { id, result } }: MessageEvent<SearchReply>) => {
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    }
    this.#port.onerror = () => this.close()
  }

  /** Runs an operation in the worker. Operations that write run in the order of their requests. */
  async run<Operation extends keyof SearchOperations>(
    operation: Operation,
    ...values: Parameters<SearchOperations[Operation]>
  ): Promise<Result<Operation> | undefined> {
    if (!this.working) return undefined
    const id = ++this.#requests
    return await new Promise((done) => {
      this.#waiting.set(id, done as (result: unknown) => void)
      this.#port.postMessage({ id, operation, values } satisfies SearchRequest)
    })
  }

  close(): void {
    this.working = false
    this.#port.terminate()
    for (const done of this.#waiting.values()) done(undefined)
    this.#waiting.clear()
  }
}

function startWorker(userId: string): SearchPort {
  return new Worker(new URL("./search-worker.ts", import.meta.url), { type: "module", name: userId })
}
