/** Playback of a voice note. Only one plays at a time, and none is loaded before it is played. */
import { get } from "svelte/store"

import { t } from "../../../i18n/language"
import { errorText } from "../../format/error-text"

let current: Playback | undefined

/** Pauses the note that is playing. */
export function pauseCurrent(): void {
  current?.pause()
}

export class Playback {
  playing = $state(false)
  /** Position in milliseconds. */
  at = $state(0)
  fault = $state("")
  /** This browser cannot play the format. */
  unplayable = $state(false)
  #audio: HTMLAudioElement | undefined
  #loading: Promise<Blob> | undefined
  #url: string | undefined
  #ended = false

  constructor(private readonly load: () => Promise<Blob>) {}

  async play(): Promise<void> {
    makeCurrent(this)
    this.playing = true
    this.fault = ""
    try {
      const sound = await (this.#loading ??= this.load())
      if (this.#ended) return
      this.#audio ??= this.#createAudio(sound)
      if (this.playing) await this.#audio.play()
    } catch (error) {
      if (!this.#audio) this.#loading = undefined
      this.#failed(error)
    }
  }

  pause(): void {
    this.playing = false
    this.#audio?.pause()
  }

  /** Seeks to a position. */
  seek(ms: number): void {
    this.at = ms
    if (this.#audio) this.#audio.currentTime = ms / 1000
  }

  /** Releases the audio when the view is gone. */
  dispose(): void {
    this.#ended = true
    this.pause()
    if (current === this) current = undefined
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url)
  }

  #createAudio(sound: Blob): HTMLAudioElement {
    this.#url = URL.createObjectURL(sound)
    const audio = new Audio(this.#url)
    audio.currentTime = this.at / 1000
    audio.ontimeupdate = () => (this.at = audio.currentTime * 1000)
    audio.onplay = () => (this.playing = true)
    audio.onpause = () => (this.playing = false) // also via headset buttons
    audio.onended = () => this.seek(0)
    return audio
  }

  #failed(error: unknown): void {
    this.playing = false
    if (!(error instanceof DOMException)) this.fault = errorText(get(t), error)
    // Paused while loading; or the press was too long ago, so that the browser requires another one.
    else if (!["AbortError", "NotAllowedError"].includes(error.name)) this.unplayable = true
  }
}

function makeCurrent(playback: Playback): void {
  if (current !== playback) pauseCurrent()
  current = playback
}
