/** `lib.es2023.array` without the functions that Chrome 109 lacks. */
interface ReadonlyArray<T> {
  findLast(predicate: (value: T, index: number) => unknown): T | undefined
}

interface Array<T> {
  findLast(predicate: (value: T, index: number) => unknown): T | undefined
}
