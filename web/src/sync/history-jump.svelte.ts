/** A part of the history that the user jumped to, kept apart from the newest part until the two are adjacent. */
import { merge, prepend, receive, timelineFromPage, type Timeline } from "../models/messages/timeline"
import { ApiError, Unreachable } from "../api/http"
import type { Message, MessagePage } from "../api/types"

/** Messages fetched on each side of the target, and per page after that. */
const CONTEXT = 50
const PAGE = 100

export interface LiveTimeline {
  /** Returns the newest part. */
  timeline(): Timeline
  /** Called when the two parts have been joined. */
  merged(timeline: Timeline): void
  /**
   * Fetches a page of messages.
   *
   * @throws {ApiError} the server returned an error
   * @throws {Unreachable} no response
   */
  fetch(what: object): Promise<MessagePage>
  /** Called with messages that will be displayed. */
  show(messages: readonly Message[]): void
}

export class HistoryJump {
  /** The segment of the history that the user jumped to; undefined while the newest part is shown. */
  timeline = $state.raw<Timeline>()
  #loading = false

  constructor(private readonly live: LiveTimeline) {}

  /** Jumps to a `seq` outside the newest part. Returns false if it cannot be fetched. */
  async jumpTo(seq: number): Promise<boolean> {
    return await this.#load({ before_seq: seq + CONTEXT, limit: 2 * CONTEXT }, (page) => {
      const segment = timelineFromPage(this.live.timeline(), page)
      if (segment) this.#show(segment)
    })
  }

  /** Returns to the newest part. */
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

  /** Applies changed messages. */
  applyChanges(messages: readonly Message[]): void {
    const { timeline } = this
    if (!timeline) return
    const segment = messages.filter(({ seq }) => seq > timeline.before && seq <= timeline.last)
    this.timeline = receive(timeline, segment)
  }

  async #extend(
    segment: Timeline,
    what: object,
    extend: (current: Timeline, page: MessagePage) => Timeline,
  ): Promise<void> {
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

  async #load(what: object, use: (page: MessagePage) => void): Promise<boolean> {
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
