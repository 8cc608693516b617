/** A voice note while it is recorded: how long it is by now, and how loud it was until this moment. */
import { BARS, loudness, waveform } from "../../../models/waveform"
import { withheld } from "../../../models/missing-features"
import { hush } from "./playback.svelte"

/** So long a note may be; then it ends by itself. */
export const LONGEST_MS = 15 * 60_000
const MOMENT_MS = 100
/** What every browser can play comes first. */
const KINDS = ["audio/mp4;codecs=mp4a.40.2", "audio/webm;codecs=opus", "audio/ogg;codecs=opus"]
const BITS_PER_SECOND = 48_000
const SAMPLES = 8_192
const VOICE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 }
const WHY: Readonly<Record<string, NoSound>> = { NotFoundError: "missing", NotReadableError: "busy" }

/** Why there is nothing to record. */
export type NoSound = "refused" | "missing" | "busy"

/** What was recorded. */
export interface Note {
  readonly blob: Blob
  readonly duration_ms: number
  readonly waveform: readonly number[]
  /** It took as long as a note may, and was ended. */
  readonly full: boolean
}

export function canRecord(): boolean {
  return !withheld(window).includes("microphone")
}

export class Recording {
  phase = $state<"idle" | "asking" | "going">("idle")
  elapsed = $state(0)
  /** The last ones. */
  moments = $state.raw<readonly number[]>([])
  fault = $state<NoSound>()
  #tape: Tape | undefined
  #attempts = 0

  /** @param done is given each note that was recorded to its end */
  constructor(private readonly done: (note: Note) => void) {}

  /** Ask for the microphone, and begin when there is one. */
  async start(): Promise<void> {
    if (this.phase !== "idle") return
    this.phase = "asking"
    this.fault = undefined
    const attempt = (this.#attempts += 1)
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: VOICE })
      if (attempt === this.#attempts) this.#begin(stream)
      else letGo(stream)
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      if (attempt !== this.#attempts) return
      this.phase = "idle"
      this.fault = WHY[error.name] ?? "refused"
    }
  }

  /** End it, and give it away. */
  stop(): void {
    this.#tape?.stop()
  }

  /** Throw it away. */
  cancel(): void {
    this.#attempts += 1
    this.#tape?.throwAway()
    this.#idle()
  }

  /** Somebody goes elsewhere: what was recorded until now is given away. */
  leave(): void {
    if (this.phase === "asking") this.cancel()
    else this.stop()
  }

  #begin(stream: MediaStream): void {
    hush()
    this.elapsed = 0
    this.moments = []
    this.phase = "going"
    this.#tape = new Tape(stream, {
      heard: (moments, elapsed) => {
        this.moments = moments
        this.elapsed = elapsed
      },
      ended: (note) => {
        this.#idle()
        if (note.blob.size > 0) this.done(note)
      },
    })
  }

  #idle(): void {
    this.#tape = undefined
    this.phase = "idle"
  }
}

interface Listener {
  heard(moments: readonly number[], elapsed: number): void
  ended(note: Note): void
}

/** The microphone's sound, being kept and listened to. */
class Tape {
  readonly #recorder: MediaRecorder
  readonly #audio = new AudioContext()
  readonly #ears = this.#audio.createAnalyser()
  readonly #samples = new Float32Array(SAMPLES)
  readonly #moments: number[] = []
  readonly #pieces: Blob[] = []
  readonly #clock: ReturnType<typeof setInterval>
  #began: number | undefined
  #length = 0

  constructor(
    private readonly stream: MediaStream,
    private readonly listener: Listener,
  ) {
    this.#ears.fftSize = SAMPLES
    this.#audio.createMediaStreamSource(stream).connect(this.#ears)
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind))
    this.#recorder = new MediaRecorder(stream, { audioBitsPerSecond: BITS_PER_SECOND, ...(mimeType && { mimeType }) })
    this.#recorder.onstart = () => (this.#began = performance.now())
    this.#recorder.ondataavailable = ({ data }) => this.#pieces.push(data)
    this.#recorder.onstop = () => this.#ended() // also when the microphone was pulled out
    void this.#audio.resume() // asking for the microphone took longer than some browsers take a touch for one
    this.#recorder.start()
    this.#clock = setInterval(() => this.#listen(), MOMENT_MS)
  }

  stop(): void {
    this.#length = this.#elapsed
    if (this.#recorder.state !== "inactive") this.#recorder.stop()
  }

  throwAway(): void {
    this.#recorder.onstop = null
    this.stop()
    this.#close()
  }

  get #elapsed(): number {
    return this.#began === undefined ? 0 : performance.now() - this.#began
  }

  #listen(): void {
    if (this.#began === undefined) return
    this.#ears.getFloatTimeDomainData(this.#samples)
    this.#moments.push(loudness(this.#samples))
    this.listener.heard(this.#moments.slice(-BARS), this.#elapsed)
    if (this.#elapsed >= LONGEST_MS) this.stop()
  }

  #ended(): void {
    this.#length ||= this.#elapsed
    this.#close()
    this.listener.ended({
      blob: new Blob(this.#pieces, { type: this.#recorder.mimeType.replace(/;.*/, "") }),
      duration_ms: Math.round(this.#length),
      waveform: waveform(this.#moments),
      full: this.#length >= LONGEST_MS,
    })
  }

  #close(): void {
    clearInterval(this.#clock)
    letGo(this.stream)
    void this.#audio.close()
  }
}

function letGo(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
