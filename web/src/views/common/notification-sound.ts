/** A soft sound when something is said. Off until somebody wants it, on each device anew. */
import { get, writable } from "svelte/store"

import { claimOnce, sleep } from "../../device/cross-tab-lock"

const KEY = "famichat.sound"
const NOTES_HZ = [660, 880]
const NOTE_SECONDS = 0.16
const LOUDNESS = 0.08
/** So long a tab waits in which nobody reads a message, in case somebody does in another. */
const READERS_FIRST_MS = 200

export const sound = writable(localStorage.getItem(KEY) === "on")
sound.subscribe((on) => localStorage.setItem(KEY, on ? "on" : "off"))

addEventListener("storage", ({ key, newValue }) => {
  if (key === KEY) sound.set(newValue === "on")
})

let context: AudioContext | undefined

/** Two notes, if sounds are wanted. */
export function chime(): void {
  if (!get(sound)) return
  context ??= new AudioContext()
  NOTES_HZ.forEach((hertz, index) => play(hertz, index * NOTE_SECONDS, context as AudioContext))
}

/** Chime for a message: in one of the tabs, and in none when it is being read in one. */
export async function playOnce(messageId: string, isRead: boolean): Promise<void> {
  if (!isRead) {
    if (!mayBeHeard()) return
    await sleep(READERS_FIRST_MS)
  }
  if ((await claimOnce("sound", messageId)) && !isRead) chime()
}

/** A browser lets a page sound only after somebody has touched it: another tab may. */
function mayBeHeard(): boolean {
  const { userActivation } = navigator as { userActivation?: UserActivation }
  return userActivation?.hasBeenActive ?? true
}

function play(hertz: number, after: number, audio: AudioContext): void {
  const [tone, volume] = [audio.createOscillator(), audio.createGain()]
  const start = audio.currentTime + after
  tone.frequency.value = hertz
  volume.gain.setValueAtTime(LOUDNESS, start)
  volume.gain.exponentialRampToValueAtTime(0.0001, start + 2 * NOTE_SECONDS)
  tone.connect(volume).connect(audio.destination)
  tone.start(start)
  tone.stop(start + 2 * NOTE_SECONDS)
}
