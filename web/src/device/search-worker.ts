/** The search worker: runs the requests of one page against a `SearchService`. Its name is the user's ID. */
import { SearchService, type SearchOperations } from "./search-service"

/** A request: an operation of `SearchOperations` with its arguments. */
export interface SearchRequest {
  readonly id: number
  readonly operation: keyof SearchOperations
  readonly values: readonly unknown[]
}

export interface SearchReply {
  readonly id: number
  readonly result: unknown
}

const service = new SearchService(self.name)

addEventListener("message", ({ data: { id, operation, values } }: MessageEvent<SearchRequest>) => {
  const run = service[operation].bind(service) as (...values: readonly unknown[]) => Promise<unknown>
  run(...values).then((result) => postMessage({ id, result } satisfies SearchReply), fail)
})

/** Reports a bug to the page, which learns of uncaught errors but not of rejected promises. */
function fail(error: unknown): void {
  setTimeout(() => {
    throw error
  })
}
