/** The marked messages of a conversation: pins, which all members see, and the user's own stars and hidden messages. */
import type { Marks, Message } from "../../api/types"

/** `hidden` is how the server names "delete for me". */
export type Mark = "pin" | "star" | "hidden"

/** What is stored between sessions, so that a hidden message does not appear before the server responds. */
export interface SavedMarks extends Marks {
  /** The user has closed the bar with the pinned messages, until another one is pinned. */
  readonly closed?: true
}

export const NO_MARKS: Marks = { pinned: [], starred: [], hidden: [] }

export function isMarked(marks: Marks, message: Message, mark: Mark): boolean {
  switch (mark) {
    case "pin":
      return marks.pinned.some(({ message_id }) => message_id === message.message_id)
    case "star":
      return marks.starred.includes(message.seq)
    case "hidden":
      return marks.hidden.includes(message.seq)
  }
}

/** Sets or removes a mark. The newest pin, and the largest `seq`, is the first, as in the response of the server. */
export function withMark(marks: Marks, message: Message, mark: Mark, marked: boolean, me: string): Marks {
  if (isMarked(marks, message, mark) === marked) return marks
  const { message_id, seq } = message
  if (mark === "pin") {
    const others = marks.pinned.filter((pin) => pin.message_id !== message_id)
    return { ...marks, pinned: marked ? [{ message_id, seq, user_id: me }, ...others] : others }
  }
  const list = mark === "star" ? "starred" : "hidden"
  const others = marks[list].filter((each) => each !== seq)
  return { ...marks, [list]: marked ? [...others, seq].sort((a, b) => b - a) : others }
}
