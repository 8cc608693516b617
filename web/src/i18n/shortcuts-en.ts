/** Texts of the list of keyboard shortcuts. They are loaded with it. */
export const shortcutsEn = {
  "shortcuts.title": "Keyboard shortcuts",
  "shortcuts.open": "Show the keyboard shortcuts",
  "shortcuts.everywhere": "Everywhere",
  "shortcuts.search": "find a chat or a message",
  "shortcuts.list": "show this list",
  "shortcuts.escape": "close, or cancel a reply or an edit",
  "shortcuts.writing": "When you write",
  "shortcuts.send": "send",
  "shortcuts.newLine": "begin a new line",
  "shortcuts.editLast": "in an empty field: edit your last message",
  "shortcuts.message": "When a message has the focus",
  "shortcuts.move": "go to the previous or the next message",
  "shortcuts.menu": "open its menu",
  "shortcuts.reply": "reply",
  "shortcuts.edit": "edit",
  "shortcuts.forward": "forward",
  "shortcuts.copy": "copy",
  "shortcuts.star": "star, or remove the star",
  "shortcuts.react": "react",
  "shortcuts.info": "show who has read it",
  "shortcuts.delete": "delete",
  "shortcuts.questionMark": "“?” shows this list",
  "shortcuts.questionMarkHint": "Turn it off if you speak your texts.",
} as const

export type ShortcutsKey = keyof typeof shortcutsEn
