/** What somebody is about to do to a message: one thing at a time in each conversation. */
import { getContext, setContext } from "svelte"

import type { Message } from "../../api/types"

const KEY = Symbol("attention")

export class MessageSelection {
  /** What can be done with it is being chosen. */
  menu = $state.raw<Message>()
  /** What it said before is being read. */
  history = $state.raw<Message>()
  /** It is being looked for in the timeline. */
  target = $state.raw<Message>()
  /** What is being written answers it. */
  reply = $state.raw<Message>()
  /** It is being said in other words. */
  edit = $state.raw<Message>()
}

export function provideSelection(): MessageSelection {
  return setContext(KEY, new MessageSelection())
}

export function messageSelection(): MessageSelection {
  return getContext<MessageSelection>(KEY)
}
