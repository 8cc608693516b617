/** An IndexedDB database for bytes. If the browser refuses storage, its operations have no effect. */
import { openDB, type DBSchema, type IDBPDatabase } from "idb"

export class FileDatabase<Stores extends DBSchema> {
  #database: Promise<IDBPDatabase<Stores> | undefined> | undefined

  /** @param create creates the stores of a new database */
  constructor(
    private readonly name: string,
    private readonly create: (database: IDBPDatabase<Stores>) => void,
  ) {}

  /** Runs an operation, or returns undefined if storage is unavailable. */
  async attempt<Result>(operation: (database: IDBPDatabase<Stores>) => Promise<Result>): Promise<Result | undefined> {
    try {
      const database = await this.#open()
      return database && (await operation(database))
    } catch (error) {
      return unavailable(error)
    }
  }

  async close(): Promise<void> {
    const database = await this.#database
    database?.close()
  }

  #open(): Promise<IDBPDatabase<Stores> | undefined> {
    this.#database ??= openDB<Stores>(this.name, 1, {
      upgrade: (database) => this.create(database),
      // A newer version of the client in another tab upgrades it; this tab must reload, see `LocalDatabase`.
      blocking: (_current, _requested, event) => (event.target as IDBDatabase).close(),
      terminated: () => (this.#database = undefined),
    }).catch(unavailable)
    return this.#database
  }
}

function unavailable(error: unknown): undefined {
  if (!(error instanceof DOMException)) throw error
  console.warn("this browser keeps no files", error.name)
}
