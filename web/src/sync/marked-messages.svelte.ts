/** The marked messages of one conversation, as the server last returned them. */
import { ApiError, Unreachable } from "../api/http"
import type { Marks, Message } from "../api/types"
import { NO_MARKS, withMark, type Mark, type SavedMarks } from "../models/messages/marks"
import type { Session } from "../session/session"

export class MarkedMessages {
  marks = $state.raw<Marks>(NO_MARKS)
  /** The user has closed the bar with the pinned messages. */
  #closed = $state(false)
  /** The `seq` of each hidden message. */
  readonly hidden: ReadonlySet<number> = $derived(new Set(this.marks.hidden))
  /** The pinned messages that the user has not hidden, unless the bar that shows them is closed. */
  readonly shownPins = $derived(this.#closed ? [] : this.marks.pinned.filter(({ seq }) => !this.hidden.has(seq)))
  /** Counts the changes by the user: a response to an earlier request does not contain them. */
  #changes = 0

  /**
   * @param path of the conversation in the API
   * @param changed called when `saved` has changed
   */
  constructor(
    private readonly session: Session,
    private readonly path: string,
    private readonly changed: () => void,
    saved: SavedMarks = NO_MARKS,
  ) {
    const { closed = false, ...marks } = saved
    this.marks = marks
    this.#closed = closed
  }

  get saved(): SavedMarks {
    return { ...this.marks, ...(this.#closed && { closed: true }) }
  }

  /** Requests the marks. Without a response they stay as they are. */
  async load(): Promise<void> {
    const changes = this.#changes
    try {
      const marks = await this.session.request<Marks>("GET", `${this.path}/marks`)
      if (changes === this.#changes) this.#take(marks)
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error
    }
  }

  /**
   * Sets or removes a mark.
   *
   * @throws {ApiError} the server refused it, for example because too many messages are marked
   * @throws {Unreachable} no response: repeating it is safe
   */
  async set(message: Message, mark: Mark, marked: boolean): Promise<void> {
    await this.session.request(marked ? "PUT" : "DELETE", `${this.path}/messages/${message.message_id}/${mark}`)
    this.#changes += 1
    this.#take(withMark(this.marks, message, mark, marked, this.session.user.id))
  }

  /** A deleted message is neither pinned nor starred any longer. */
  deleted(message: Message): void {
    const marks = (["pin", "star"] as const).reduce(
      (rest, mark) => withMark(rest, message, mark, false, message.user_id),
      this.marks,
    )
    if (marks !== this.marks) this.#take(marks)
  }

  /** Closes the bar with the pinned messages until another one is pinned. */
  closePins(): void {
    this.#closed = true
    this.changed()
  }

  #take(marks: Marks): void {
    const before = new Set(this.marks.pinned.map(({ message_id }) => message_id))
    if (marks.pinned.some(({ message_id }) => !before.has(message_id))) this.#closed = false
    this.marks = marks
    this.changed()
  }
}
