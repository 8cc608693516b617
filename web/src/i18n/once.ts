/** Caches objects that are expensive to create and immutable, such as `Intl` formatters. */

/** Returns a function that calls `make` once per argument. */
export function once<Argument, Result>(make: (argument: Argument) => Result): (argument: Argument) => Result {
  const made = new Map<Argument, Result>()
  return (argument) => {
    const known = made.get(argument)
    if (known !== undefined) return known
    const result = make(argument)
    made.set(argument, result)
    return result
  }
}
