/**
 * Passes on what arrives at most once per frame: the first item immediately, the others of its frame together.
 * A burst of messages is then drawn a few times instead of once per message.
 */

/** Hidden pages have no frames. */
const LONGEST_FRAME_MS = 100

export class FrameBatch<Item> {
  /** What has arrived since the last items were passed on; undefined if that was not in this frame. */
  #waiting: Item[] | undefined

  constructor(private readonly pass: (items: readonly Item[]) => void) {}

  add(item: Item): void {
    if (this.#waiting) this.#waiting.push(item)
    else this.#passOn([item])
  }

  /** Passes on what waits, before an event that relies on it is handled. */
  flush(): void {
    const waiting = this.#waiting?.splice(0) ?? []
    if (waiting.length > 0) this.pass(waiting)
  }

  #passOn(items: readonly Item[]): void {
    this.#waiting = []
    onNextFrame(() => {
      const waiting = this.#waiting ?? []
      this.#waiting = undefined
      if (waiting.length > 0) this.#passOn(waiting)
    })
    this.pass(items)
  }
}

function onNextFrame(run: () => void): void {
  const once = () => {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
    run()
  }
  const frame = requestAnimationFrame(once)
  const timer = setTimeout(once, LONGEST_FRAME_MS)
}
