/** The message sound. Off by default, per device. */
import { get, writable } from "svelte/store"

import { claimOnce, sleep } from "../../device/cross-tab-lock"

const KEY = "famichat.sound"
const NOTES_HZ = [660, 880]
const NOTE_SECONDS = 0.16
const LOUDNESS = 0.08
/** How long an inactive tab waits, in case the message is being read in another tab. */
const READERS_FIRST_MS = 200

export const sound = writable(localStorage.getItem(KEY) === "on")
sound.subscribe((on) => localStorage.setItem(KEY, on ? "on" : "off"))

addEventListener("storage", ({ key, newValue }) => {
  if (key === KEY) sound.set(newValue === "on")
})

let context: AudioContext | undefined

/** Plays two notes, if the sound is on. */
export function chime(): void {
  if (!get(sound)) return
  context ??= new AudioContext()
  NOTES_HZ.forEach((hertz, index) => play(hertz, index * NOTE_SECONDS, context as AudioContext))
}

/** Plays the sound for a message in one tab only, and in none if a tab is showing the message. */
export async function playOnce(messageId: string, isRead: boolean): Promise<void> {
  if (!isRead) {
    if (!mayBeHeard()) return
    await sleep(READERS_FIRST_MS)
  }
  if ((await claimOnce("sound", messageId)) && !isRead) chime()
}

/** Browsers allow sound only after user interaction with the page; another tab may have had some. */
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
