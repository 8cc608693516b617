/** The latest queries with which the user found something. */
import { fold } from "./fold"

const MOST = 5

/** Adds a query as the latest one, in place of an equal one. */
export function withRecent(recent: readonly string[], query: string): readonly string[] {
  const others = recent.filter((each) => fold(each) !== fold(query))
  return [query, ...others].slice(0, MOST)
}
