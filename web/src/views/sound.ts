/** A soft sound when something is said. Off until somebody wants it, on each device anew. */
import { get, writable } from "svelte/store"

const KEY = "famichat.sound"
const NOTES_HZ = [660, 880]
const NOTE_SECONDS = 0.16
const LOUDNESS = 0.08

export const sound = writable(localStorage.getItem(KEY) === "on")
sound.subscribe((on) => localStorage.setItem(KEY, on ? "on" : "off"))

let context: AudioContext | undefined

/** Two notes, if sounds are wanted. A browser lets a page sound only after somebody has touched it. */
export function chime(): void {
  if (!get(sound)) return
  context ??= new AudioContext()
  NOTES_HZ.forEach((hertz, index) => play(hertz, index * NOTE_SECONDS, context as AudioContext))
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
