/** Keeps what is dear to make and never changes: formatters, above all, which take longer to make than to use. */

/** The same function, which works once for each argument. */
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
