/**
 * Opens the menu of a message by long-press, right-click, double-click or key, and replies by a swipe.
 *
 * One module owns them all, so that two gestures cannot happen together. It listens at the list, so that a bubble costs
 * nothing, and is loaded after the first screen.
 */
import "./message-gestures.css"

import type { Message } from "../../api/types"
import { isMarked } from "../../models/messages/marks"
import { messageActions, type MessageActions } from "../../models/messages/message-actions"
import { SLOP, intent, swipeOffset, swipeReplies, type Movement } from "../../models/messages/swipe"
import type { TimelineItem } from "../../models/messages/timeline-items"
import type { ChatClient } from "../../sync/client.svelte"
import { copyText } from "../common/copy-text"
import type { MessageSelection } from "./selection.svelte"

const HOLD_MS = 450
const VIBRATION_MS = 10
/** The button of the mouse; a menu key has none. */
const RIGHT = 2
/** Parts of a bubble that react to a double-click themselves. */
const OCCUPIED = "p, a, button, input, blockquote, audio, video"
/** What a finger drags along. */
const DRAGGED = "input, [role=slider]"

export interface GestureTarget {
  readonly client: ChatClient
  readonly id: string
  readonly selection: MessageSelection
  itemOf(entry: string): TimelineItem | undefined
}

/** A message that has a menu, with what the user may do. */
interface Found {
  readonly message: Message
  readonly actions: MessageActions
}

/** Returns a function that ends it. */
export function listenForGestures(list: HTMLElement, target: GestureTarget): () => void {
  const gestures = new MessageGestures(list, target)
  const ended = new AbortController()
  const on = <Name extends keyof HTMLElementEventMap>(
    name: Name,
    handle: (event: HTMLElementEventMap[Name]) => void,
  ): void => list.addEventListener(name, handle, { signal: ended.signal })
  on("pointerdown", (event) => gestures.pointerDown(event))
  on("pointermove", (event) => gestures.pointerMove(event))
  on("pointerup", (event) => gestures.pointerUp(event))
  on("pointercancel", () => gestures.cancel())
  on("touchend", (event) => gestures.touchEnd(event))
  on("contextmenu", (event) => gestures.contextMenu(event))
  on("dblclick", (event) => gestures.doubleClick(event))
  on("keydown", (event) => gestures.keyDown(event))
  return () => {
    gestures.cancel()
    ended.abort()
  }
}

/** A finger on a message. */
interface Press {
  readonly pointerId: number
  readonly x: number
  readonly y: number
  readonly entry: HTMLElement
  readonly held: ReturnType<typeof setTimeout>
  swiping: boolean
}

class MessageGestures {
  #press: Press | undefined
  #byTouch = false
  /** The finger that is still down has opened the menu. */
  #opened = false

  constructor(
    private readonly list: HTMLElement,
    private readonly target: GestureTarget,
  ) {}

  pointerDown(event: PointerEvent): void {
    this.cancel() // by a second finger
    this.#opened = false
    this.#byTouch = event.pointerType === "touch"
    const entry = entryOf(event.target)
    if (!this.#byTouch || !event.isPrimary || !entry || !within(event.target, ".bubble")) return
    if (within(event.target, DRAGGED) || hasSelection()) return
    this.#press = {
      pointerId: event.pointerId,
      x: event.clientX,
      y: event.clientY,
      entry,
      held: setTimeout(() => this.#held(), HOLD_MS),
      swiping: false,
    }
  }

  pointerMove(event: PointerEvent): void {
    const press = this.#press
    if (press?.pointerId !== event.pointerId) return
    const movement = this.#movement(press, event)
    if (Math.hypot(movement.forward, movement.down) > SLOP) clearTimeout(press.held)
    if (!press.swiping) {
      const decided = intent(movement, press.x, innerWidth)
      if (decided === "scroll" || (decided === "swipe" && !this.#find(press.entry)?.actions.reply)) this.cancel()
      press.swiping = decided === "swipe"
    }
    if (press.swiping && this.#press) this.#follow(press.entry, movement)
  }

  pointerUp(event: PointerEvent): void {
    const press = this.#press
    if (press?.pointerId !== event.pointerId) return
    const replies = press.swiping && swipeReplies(this.#movement(press, event))
    this.cancel()
    if (replies) this.#reply(press.entry)
  }

  cancel(): void {
    if (!this.#press) return
    clearTimeout(this.#press.held)
    this.#press.entry.style.transform = ""
    delete this.#press.entry.dataset["swipe"]
    this.#press = undefined
  }

  /** Otherwise the lifted finger would press the menu that is now below it. */
  touchEnd(event: TouchEvent): void {
    if (this.#opened) event.preventDefault()
  }

  contextMenu(event: MouseEvent): void {
    const entry = entryOf(event.target)
    if (!entry || !this.#find(entry)) return
    // A link, and selected text, keep the menu of the browser.
    const isOwn = within(event.target, ".bubble") && (this.#byTouch || !(within(event.target, "a") || hasSelection()))
    if (event.button === RIGHT && !isOwn) return
    event.preventDefault()
    if (this.#byTouch) return // the timer of the press opens it
    this.#open(entry, event.button === RIGHT ? { x: event.clientX, y: event.clientY } : undefined)
  }

  doubleClick(event: MouseEvent): void {
    const entry = entryOf(event.target)
    if (this.#byTouch || !entry || !within(event.target, ".bubble") || within(event.target, OCCUPIED)) return
    getSelection()?.removeAllRanges()
    this.#open(entry, { x: event.clientX, y: event.clientY })
  }

  /** Single keys act only while a message has the focus (WCAG 2.1.4). */
  keyDown(event: KeyboardEvent): void {
    const entry = entryOf(event.target)
    if (!entry || within(event.target, "input, textarea, dialog")) return
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (this.#move(entry, event.key) || this.#perform(entry, event.key)) event.preventDefault()
  }

  #held(): void {
    const press = this.#press
    this.cancel()
    if (!press || !this.#find(press.entry)) return
    this.#opened = true
    vibrate()
    this.#open(press.entry)
  }

  #movement({ x, y, entry }: Press, event: PointerEvent): Movement {
    const right = event.clientX - x
    return { forward: isRightToLeft(entry) ? -right : right, down: event.clientY - y }
  }

  #follow(entry: HTMLElement, movement: Movement): void {
    const replies = swipeReplies(movement)
    if (replies && entry.dataset["swipe"] !== "reply") vibrate()
    entry.dataset["swipe"] = replies ? "reply" : "begun"
    const offset = swipeOffset(movement)
    entry.style.transform = `translateX(${isRightToLeft(entry) ? -offset : offset}px)`
  }

  #find(entry: HTMLElement): Found | undefined {
    const { client, id } = this.target
    const item = this.target.itemOf(entry.dataset["entry"] ?? "")
    const conversation = client.info(id)
    if (item?.kind !== "stored" || item.message.deleted_at !== null || !conversation) return undefined
    return {
      message: item.message,
      actions: messageActions(item.message, conversation, client.me.id, new Date(), client.reader.read(item.message)),
    }
  }

  #open(entry: HTMLElement, at?: { readonly x: number; readonly y: number }): void {
    const found = this.#find(entry)
    if (found) this.target.selection.menu = { message: found.message, at }
  }

  #reply(entry: HTMLElement): void {
    const found = this.#find(entry)
    if (!found?.actions.reply) return
    this.target.selection.edit = undefined
    this.target.selection.reply = found.message
  }

  #copy(message: Message): boolean {
    const opened = this.target.client.reader.read(message)
    if (opened?.kind !== "text" || opened.text === "" || hasSelection()) return false
    void copyText(opened.text)
    return true
  }

  #star(message: Message): void {
    const marked = this.target.client.conversation(this.target.id)?.marked
    if (!marked) return
    marked
      .set(message, "star", !isMarked(marked.marks, message, "star"))
      .catch((fault: unknown) => (this.target.selection.menu = { message, fault }))
  }

  #move(entry: HTMLElement, key: string): boolean {
    const entries = [...this.list.querySelectorAll<HTMLElement>("[data-entry]")]
    const index = entries.indexOf(entry)
    const next = { ArrowUp: entries[index - 1], ArrowDown: entries[index + 1], End: entries.at(-1) }[key]
    if (!next) return false
    next.focus()
    next.scrollIntoView({ block: "nearest" })
    return true
  }

  #perform(entry: HTMLElement, key: string): boolean {
    const found = this.#find(entry)
    if (!found) return false
    const { message, actions } = found
    const { selection } = this.target
    switch (key.toLowerCase()) {
      case "r":
        this.#reply(entry)
        return actions.reply
      case "e":
        if (actions.edit) [selection.reply, selection.edit] = [undefined, message]
        return actions.edit
      case "c":
        return this.#copy(message)
      case "+":
        selection.menu = { message }
        return true
      case "s":
        this.#star(message)
        return true
      case "f":
        if (actions.forward) selection.forward = message
        return actions.forward
      case "i":
        selection.info = message
        return true
      case "delete":
        selection.menu = { message, step: "delete" }
        return true
      default:
        return false
    }
  }
}

function isRightToLeft(element: HTMLElement): boolean {
  return getComputedStyle(element).direction === "rtl"
}

function entryOf(target: EventTarget | null): HTMLElement | undefined {
  return target instanceof Element ? (target.closest<HTMLElement>("[data-entry]") ?? undefined) : undefined
}

function within(target: EventTarget | null, selector: string): boolean {
  return target instanceof Element && target.closest(selector) !== null
}

function hasSelection(): boolean {
  return getSelection()?.isCollapsed === false
}

function vibrate(): void {
  // Not in all browsers.
  ;(navigator as { vibrate?: (ms: number) => boolean }).vibrate?.(VIBRATION_MS)
}
