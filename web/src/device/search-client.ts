/** The page's side of the search worker. */
import { trustedScriptUrl } from "./script-url"
import type { SearchOperations } from "./search-service"
import type { SearchReply, SearchRequest } from "./search-worker"
import workerUrl from "./search-worker?worker&url"

const SCRIPT_URL = trustedScriptUrl("famichat-search", workerUrl)

type Result<Operation extends keyof SearchOperations> = Awaited<ReturnType<SearchOperations[Operation]>>

export class SearchClient {
  readonly #worker: Worker
  readonly #waiting = new Map<number, (result: unknown) => void>()
  #requests = 0
  /** False once the worker cannot run or is closed; operations then return undefined. */
  working = true

  constructor(userId: string) {
    this.#worker = new Worker(SCRIPT_URL, { type: "classic", name: userId })
    this.#worker.onmessage = ({ data: { id, result } }: MessageEvent<SearchReply>) => {
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    }
    this.#worker.onerror = () => this.close()
  }

  /** Runs an operation in the worker. Operations that write run in the order of their requests. */
  async run<Operation extends keyof SearchOperations>(
    operation: Operation,
    ...values: Parameters<SearchOperations[Operation]>
  ): Promise<Result<Operation> | undefined> {
    if (!this.working) return undefined
    const id = ++this.#requests
    const reply = new Promise<unknown>((done) => this.#waiting.set(id, done))
    this.#worker.postMessage({ id, operation, values } satisfies SearchRequest)
    return (await reply) as Result<Operation> | undefined
  }

  close(): void {
    this.working = false
    this.#worker.terminate()
    for (const done of this.#waiting.values()) done(undefined)
    this.#waiting.clear()
  }
}
