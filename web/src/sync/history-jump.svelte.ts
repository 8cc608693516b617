/** A part of a conversation that somebody went back to, apart from its newest part until the two meet. */
import { merge, prepend, receive, timelineFromPage, type Timeline } from "../models/timeline"
import { ApiError, Unreachable } from "../api/http"
import type { Message, Page } from "../api/types"

/** As many messages are fetched on each side of the one that is sought, and when one reads on. */
const CONTEXT = 50
const PAGE = 100

export interface LiveTimeline {
  /** The newest part, as it is now. */
  timeline(): Timeline
  /** The two have met: this is the newest part from now on. */
  merged(timeline: Timeline): void
  /**
   * A page of messages from the server.
   *
   * @throws {ApiError} it refuses
   * @throws {Unreachable} it does not answer
   */
  fetch(what: object): Promise<Page>
  /** These are to be shown. */
  show(messages: readonly Message[]): void
}

export class HistoryJump {
  /** The segment of the history that the user jumped to; undefined while the newest part is shown. */
  timeline = $state.raw<Timeline>()
  #loading = false

  constructor(private readonly live: LiveTimeline) {}

  /** Go to a place that the newest part does not reach; false, if the server does not give it now. */
  async jumpTo(seq: number): Promise<boolean> {
    return await this.#load({ before_seq: seq + CONTEXT, limit: 2 * CONTEXT }, (page) => {
      const segment = timelineFromPage(this.live.timeline(), page)
      if (segment) this.#show(segment)
    })
  }

  /** Come back to the newest part. */
  reset(): void {
    this.timeline = undefined
  }

  async loadOlder(): Promise<void> {
    const segment = this.timeline
    if (!segment || segment.reachesStart) return
    await this.#extend(segment, { before_seq: segment.before + 1, limit: PAGE }, prepend)
  }

  async loadNewer(): Promise<void> {
    const segment = this.timeline
    if (!segment) return
    await this.#extend(segment, { after_seq: segment.last, limit: PAGE }, (current, page) =>
      receive(current, page.messages),
    )
  }

  /** Messages are not what they were. */
  applyChanges(messages: readonly Message[]): void {
    const { timeline } = this
    if (!timeline) return
    const segment = messages.filter(({ seq }) => seq > timeline.before && seq <= timeline.last)
    this.timeline = receive(timeline, segment)
  }

  async #extend(segment: Timeline, what: object, extend: (current: Timeline, page: Page) => Timeline): Promise<void> {
    if (this.#loading) return
    this.#loading = true
    try {
      await this.#load(what, (page) => {
        const current = this.timeline // one may have gone elsewhere meanwhile
        if (current?.before === segment.before && current.last === segment.last) this.#show(extend(current, page))
      })
    } finally {
      this.#loading = false
    }
  }

  #show(segment: Timeline): void {
    const whole = merge(segment, this.live.timeline())
    this.timeline = whole ? undefined : segment
    if (whole) this.live.merged(whole)
  }

  async #load(what: object, use: (page: Page) => void): Promise<boolean> {
    try {
      const page = await this.live.fetch(what)
      use(page)
      this.live.show(page.messages)
      return true
    } catch (error) {
      if (error instanceof ApiError || error instanceof Unreachable) return false
      throw error
    }
  }
}
