/** Returns the name of an account's key database. Pages need it without the code that uses the keys. */
export function keyDatabaseName(userId: string): string {
  return `famichat.${userId}.keys`
}
