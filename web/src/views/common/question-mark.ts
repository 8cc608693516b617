/** Whether a question mark lists the keyboard shortcuts, on this device. */
import { writable } from "svelte/store"

const KEY = "famichat.questionMark"

export const questionMark = writable(localStorage.getItem(KEY) !== "off")
questionMark.subscribe((on) => localStorage.setItem(KEY, on ? "on" : "off"))
