/** The outbox on this device, shared by all tabs: it survives a reload, a crash and a closed browser. */
import { parse, type Outbox } from "../models/outbox"

export class Mailbox {
  readonly #key: string
  #memory: Outbox = []

  constructor(
    userId: string,
    private readonly changed: () => void,
  ) {
    this.#key = `famichat.outbox.${userId}`
    this.#memory = parse(localStorage.getItem(this.#key))
    addEventListener("storage", (event) => {
      if (event.key !== this.#key) return
      this.#memory = parse(event.newValue)
      this.changed()
    })
  }

  get drafts(): Outbox {
    return this.#memory
  }

  change(how: (outbox: Outbox) => Outbox): void {
    this.#memory = how(parse(localStorage.getItem(this.#key)))
    if (this.#memory.length === 0) localStorage.removeItem(this.#key)
    else localStorage.setItem(this.#key, JSON.stringify(this.#memory))
    this.changed()
  }
}
