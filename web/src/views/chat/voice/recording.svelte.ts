/** Recording of a voice note: its duration and levels so far. */
import { BARS, peak, waveform } from "../../../models/waveform"
import { missingFeatures } from "../../../models/missing-features"
import { pauseCurrent } from "./playback.svelte"

/** Maximum duration of a note; recording then stops. */
export const MAX_DURATION_MS = 15 * 60_000
const SAMPLE_EVERY_MS = 100
/** Preferred formats first: those that every browser can play. */
const MIME_TYPES = ["audio/mp4;codecs=mp4a.40.2", "audio/webm;codecs=opus", "audio/ogg;codecs=opus"]
const BITS_PER_SECOND = 48_000
const SAMPLES = 8_192
const AUDIO_CONSTRAINTS = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 }
const FAULTS: Readonly<Record<string, MicrophoneFault>> = { NotFoundError: "missing", NotReadableError: "busy" }

/** Why recording failed. */
export type MicrophoneFault = "refused" | "missing" | "busy"

/** A finished recording. */
export interface RecordedNote {
  readonly blob: Blob
  readonly duration_ms: number
  readonly waveform: readonly number[]
  /** It reached the maximum duration. */
  readonly reachedLimit: boolean
}

export function canRecord(): boolean {
  return !missingFeatures(window).includes("microphone")
}

export class Recording {
  phase = $state<"idle" | "asking" | "going">("idle")
  elapsed = $state(0)
  /** The most recent levels. */
  peaks = $state.raw<readonly number[]>([])
  fault = $state<MicrophoneFault>()
  #tape: MicrophoneTape | undefined
  #attempts = 0

  /** @param done called with each finished recording */
  constructor(private readonly done: (note: RecordedNote) => void) {}

  /** Requests the microphone and starts recording. */
  async start(): Promise<void> {
    if (this.phase !== "idle") return
    this.phase = "asking"
    this.fault = undefined
    const attempt = (this.#attempts += 1)
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: AUDIO_CONSTRAINTS })
      if (attempt === this.#attempts) this.#begin(stream)
      else releaseMicrophone(stream)
    } catch (error) {
      if (!(error instanceof DOMException)) throw error
      if (attempt !== this.#attempts) return
      this.phase = "idle"
      this.fault = FAULTS[error.name] ?? "refused"
    }
  }

  /** Stops, and passes the recording to `done`. */
  stop(): void {
    this.#tape?.stop()
  }

  /** Stops and discards the recording. */
  cancel(): void {
    this.#attempts += 1
    this.#tape?.discard()
    this.#idle()
  }

  /** Stops when the user leaves the conversation, and passes on the recording so far. */
  leave(): void {
    if (this.phase === "asking") this.cancel()
    else this.stop()
  }

  #begin(stream: MediaStream): void {
    pauseCurrent()
    this.elapsed = 0
    this.peaks = []
    this.phase = "going"
    this.#tape = new MicrophoneTape(stream, {
      heard: (peaks, elapsed) => {
        this.peaks = peaks
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
  ended(note: RecordedNote): void
}

/** Connects the microphone to the recorder and the level meter. */
class MicrophoneTape {
  readonly #recorder: MediaRecorder
  readonly #audio = new AudioContext()
  readonly #analyser = this.#audio.createAnalyser()
  readonly #samples = new Float32Array(SAMPLES)
  readonly #peaks: number[] = []
  readonly #chunks: Blob[] = []
  readonly #timer: ReturnType<typeof setInterval>
  #startedAt: number | undefined
  #length = 0

  constructor(
    private readonly stream: MediaStream,
    private readonly listener: Listener,
  ) {
    this.#analyser.fftSize = SAMPLES
    this.#audio.createMediaStreamSource(stream).connect(this.#analyser)
    const mimeType = MIME_TYPES.find((kind) => MediaRecorder.isTypeSupported(kind))
    this.#recorder = new MediaRecorder(stream, { audioBitsPerSecond: BITS_PER_SECOND, ...(mimeType && { mimeType }) })
    this.#recorder.onstart = () => (this.#startedAt = performance.now())
    this.#recorder.ondataavailable = ({ data }) => this.#chunks.push(data)
    this.#recorder.onstop = () => this.#ended() // also if the microphone is unplugged
    void this.#audio.resume() // the permission dialog may outlast the user activation that some browsers require
    this.#recorder.start()
    this.#timer = setInterval(() => this.#measure(), SAMPLE_EVERY_MS)
  }

  stop(): void {
    this.#length = this.#elapsed
    if (this.#recorder.state !== "inactive") this.#recorder.stop()
  }

  discard(): void {
    this.#recorder.onstop = null
    this.stop()
    this.#close()
  }

  get #elapsed(): number {
    return this.#startedAt === undefined ? 0 : performance.now() - this.#startedAt
  }

  #measure(): void {
    if (this.#startedAt === undefined) return
    this.#analyser.getFloatTimeDomainData(this.#samples)
    this.#peaks.push(peak(this.#samples))
    this.listener.heard(this.#peaks.slice(-BARS), this.#elapsed)
    if (this.#elapsed >= MAX_DURATION_MS) this.stop()
  }

  #ended(): void {
    this.#length ||= this.#elapsed
    this.#close()
    this.listener.ended({
      blob: new Blob(this.#chunks, { type: this.#recorder.mimeType.replace(/;.*/, "") }),
      duration_ms: Math.round(this.#length),
      waveform: waveform(this.#peaks),
      reachedLimit: this.#length >= MAX_DURATION_MS,
    })
  }

  #close(): void {
    clearInterval(this.#timer)
    releaseMicrophone(this.stream)
    void this.#audio.close()
  }
}

function releaseMicrophone(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
