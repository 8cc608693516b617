/** The message action in progress: one per conversation. */
import { getContext, setContext } from "svelte"

import type { Message } from "../../api/types"
import type { SharedAttachment } from "../../models/messages/attachments"

const KEY = Symbol("attention")

export interface OpenMenu {
  readonly message: Message
  /** Where the pointer opened it; without, it is in the middle. */
  readonly at?: { readonly x: number; readonly y: number } | undefined
  /** What the user has chosen already. */
  readonly step?: "delete"
  /** Why the server did not do what the user pressed a key for. */
  readonly fault?: unknown
}

export interface OpenPhoto extends SharedAttachment {
  /** The tile that was pressed. */
  readonly tile: HTMLElement
}

export class MessageSelection {
  /** Its menu is open. */
  menu = $state.raw<OpenMenu>()
  /** The user chooses any emoji to react to it. */
  react = $state.raw<Message>()
  /** Its delivery status is shown. */
  info = $state.raw<Message>()
  /** The user has just deleted it for themselves, and may undo that. */
  hidden = $state.raw<Message>()
  /** The user chooses the chats that it is sent on to. */
  forward = $state.raw<Message>()
  /** Its edit history is open. */
  history = $state.raw<Message>()
  /** It is open in the viewer. */
  photo = $state.raw<OpenPhoto>()
  /** The `seq` of the message that the timeline is jumping to. */
  target = $state<number>()
  /** The search in this chat is open. */
  searching = $state(false)
  /** The draft replies to it. */
  reply = $state.raw<Message>()
  /** It is being edited. */
  edit = $state.raw<Message>()
}

export function provideSelection(): MessageSelection {
  return setContext(KEY, new MessageSelection())
}

export function messageSelection(): MessageSelection {
  return getContext<MessageSelection>(KEY)
}
