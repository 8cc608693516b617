/** Playback of voice messages. Only one plays at a time, and none is loaded before it is played. */
import { get } from "svelte/store"

import { t } from "../../../i18n/language"
import { errorText } from "../../format/error-text"

/** A voice message to play. */
export interface VoiceSource {
  /** Identifies it among all voice messages. */
  readonly key: string
  readonly load: () => Promise<Blob>
  /** Duration in milliseconds. */
  readonly length: number
  /** The sender. */
  readonly userId: string
  /** Returns the voice message to continue with. */
  readonly next: () => VoiceSource | undefined
}

const RATES = [1, 1.5, 2]

/** Plays the voice messages of all chats. */
class Player {
  /** Playback speed. */
  rate = $state(1)
  #current = $state.raw<Playback>()
  /** Those with a bubble, and the one that plays without. */
  readonly #known = new Map<string, Playback>()

  /** Whether a voice message plays. */
  get playing(): boolean {
    return this.#current?.playing ?? false
  }

  /** What plays, or was paused, while no bubble shows it. */
  get elsewhere(): Playback | undefined {
    return this.#current?.bubbles === 0 ? this.#current : undefined
  }

  /** Returns the playback for a bubble, which calls `detach` when it is gone. */
  attach(source: VoiceSource): Playback {
    const playback = this.#playbackOf(source)
    playback.bubbles += 1
    return playback
  }

  detach(playback: Playback): void {
    playback.bubbles -= 1
    if (playback.bubbles === 0 && !playback.playing) this.#dispose(playback)
  }

  /** Goes to the next speed. */
  changeRate(): void {
    this.rate = RATES[(RATES.indexOf(this.rate) + 1) % RATES.length] ?? 1
    this.#current?.applyRate()
  }

  /** Pauses the current voice message, for a recording or a video. */
  pause(): void {
    this.#current?.pause()
  }

  /** Stops the current voice message, and forgets it unless a bubble shows it. */
  end(): void {
    this.#replace(undefined)
  }

  started(playback: Playback): void {
    if (this.#current !== playback) this.#replace(playback)
  }

  finished({ source, bubbles }: Playback): void {
    const next = source.next()
    if (next) void this.#playbackOf(next).play()
    else if (bubbles === 0) this.end()
  }

  #playbackOf(source: VoiceSource): Playback {
    const playback = this.#known.get(source.key) ?? new Playback(source, this)
    this.#known.set(source.key, playback)
    return playback
  }

  #replace(playback: Playback | undefined): void {
    const previous = this.#current
    this.#current = playback
    previous?.pause()
    if (previous?.bubbles === 0) this.#dispose(previous)
  }

  #dispose(playback: Playback): void {
    if (this.#current === playback) this.#current = undefined
    this.#known.delete(playback.source.key)
    playback.dispose()
  }
}

export class Playback {
  playing = $state(false)
  /** Position in milliseconds. */
  at = $state(0)
  fault = $state("")
  /** This browser cannot play the format. */
  unplayable = $state(false)
  /** How many bubbles show it. */
  bubbles = $state(0)
  #audio: HTMLAudioElement | undefined
  #loading: Promise<Blob> | undefined
  #url: string | undefined
  #ended = false

  constructor(
    readonly source: VoiceSource,
    private readonly owner: Player,
  ) {}

  async play(): Promise<void> {
    this.owner.started(this)
    this.playing = true
    this.fault = ""
    try {
      const sound = await (this.#loading ??= this.source.load())
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

  toggle(): void {
    if (this.playing) this.pause()
    else void this.play()
  }

  /** Seeks to a position. */
  seek(ms: number): void {
    this.at = ms
    if (this.#audio) this.#audio.currentTime = ms / 1000
  }

  applyRate(): void {
    if (this.#audio) this.#audio.playbackRate = this.owner.rate
  }

  /** Releases the audio. */
  dispose(): void {
    this.#ended = true
    this.pause()
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url)
  }

  #createAudio(sound: Blob): HTMLAudioElement {
    this.#url = URL.createObjectURL(sound)
    const audio = (this.#audio = new Audio(this.#url))
    audio.currentTime = this.at / 1000
    this.applyRate()
    audio.ontimeupdate = () => (this.at = audio.currentTime * 1000)
    audio.onplay = () => (this.playing = true)
    audio.onpause = () => (this.playing = false) // also via headset buttons
    audio.onended = () => {
      this.seek(0)
      this.owner.finished(this)
    }
    return audio
  }

  #failed(error: unknown): void {
    this.playing = false
    if (!(error instanceof DOMException)) this.fault = errorText(get(t), error)
    // Paused while loading; or the press was too long ago, so that the browser requires another one.
    else if (!["AbortError", "NotAllowedError"].includes(error.name)) this.unplayable = true
  }
}

export const player = new Player()
