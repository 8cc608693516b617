/** A part of a conversation that somebody went back to, apart from its newest part until the two meet. */
import { meet, prepend, receive, stretch, type Timeline } from "../models/timeline"
import { ApiError, Unreachable } from "../api/http"
import type { Message, Page } from "../api/types"

/** As many messages are fetched on each side of the one that is sought, and when one reads on. */
const BESIDE = 50
const PAGE = 100

export interface Present {
  /** The newest part, as it is now. */
  timeline(): Timeline
  /** The two have met: this is the newest part from now on. */
  met(timeline: Timeline): void
  /**
   * A page of messages from the server.
   *
   * @throws {ApiError} it refuses
   * @throws {Unreachable} it does not answer
   */
  fetch(what: object): Promise<Page>
  /** These are to be shown. */
  take(messages: readonly Message[]): void
}

export class Past {
  timeline: Timeline | undefined
  #reading = false

  constructor(private readonly present: Present) {}

  /** Go to a place that the newest part does not reach; false, if the server does not give it now. */
  async visit(seq: number): Promise<boolean> {
    return await this.#read({ before_seq: seq + BESIDE, limit: 2 * BESIDE }, (page) => {
      const here = stretch(this.present.timeline(), page)
      if (here) this.#show(here)
    })
  }

  /** Come back to the newest part. */
  leave(): void {
    this.timeline = undefined
  }

  async readOlder(): Promise<void> {
    const here = this.timeline
    if (!here || here.whole) return
    await this.#readOn(here, { before_seq: here.before + 1, limit: PAGE }, prepend)
  }

  async readNewer(): Promise<void> {
    const here = this.timeline
    if (!here) return
    await this.#readOn(here, { after_seq: here.last, limit: PAGE }, (now, page) => receive(now, page.messages))
  }

  /** Messages are not what they were. */
  amend(messages: readonly Message[]): void {
    const { timeline } = this
    if (!timeline) return
    const here = messages.filter(({ seq }) => seq > timeline.before && seq <= timeline.last)
    this.timeline = receive(timeline, here)
  }

  async #readOn(here: Timeline, what: object, grown: (now: Timeline, page: Page) => Timeline): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    try {
      await this.#read(what, (page) => {
        const now = this.timeline // one may have gone elsewhere meanwhile
        if (now?.before === here.before && now.last === here.last) this.#show(grown(now, page))
      })
    } finally {
      this.#reading = false
    }
  }

  #show(here: Timeline): void {
    const both = meet(here, this.present.timeline())
    this.timeline = both ? undefined : here
    if (both) this.present.met(both)
  }

  async #read(what: object, then: (page: Page) => void): Promise<boolean> {
    try {
      const page = await this.present.fetch(what)
      then(page)
      this.present.take(page.messages)
      return true
    } catch (error) {
      if (error instanceof ApiError || error instanceof Unreachable) return false
      throw error
    }
  }
}
