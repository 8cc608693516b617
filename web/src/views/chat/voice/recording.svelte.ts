/** Recording of a voice note: its duration and levels so far. */
import { BARS, peak, waveform } from "../../../models/waveform"
import type { RecordingCopy, RecordingProgress } from "../../../device/recording-store"
import { missingFeatures } from "../../../models/missing-features"
import { player } from "./playback.svelte"

/** Maximum duration of a note; recording then stops. */
export const MAX_DURATION_MS = 15 * 60_000
const SAMPLE_EVERY_MS = 100
/** How much of a recording a crash may lose. */
const CHUNK_MS = 1_000
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
  /** Where the finger went down that holds the button; undefined when nothing holds it. */
  press = $state.raw<{ readonly x: number; readonly y: number }>()
  #tape: MicrophoneTape | undefined
  #copy: RecordingCopy | undefined
  #attempts = 0

  /**
   * @param done called with each finished recording; resolves once it is stored
   * @param startCopy returns the stored copy for a new recording; it is deleted after `done`, or when the recording is discarded
   */
  constructor(
    private readonly done: (note: RecordedNote) => Promise<void>,
    private readonly startCopy: () => RecordingCopy,
  ) {}

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
      this.#idle()
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
    void this.#copy?.discard()
    this.#idle()
  }

  /** Stops when the user leaves the conversation, and passes on the recording so far. */
  leave(): void {
    if (this.phase === "asking") this.cancel()
    else this.stop()
  }

  #begin(stream: MediaStream): void {
    player.pause()
    this.elapsed = 0
    this.peaks = []
    this.phase = "going"
    const copy = (this.#copy = this.startCopy())
    this.#tape = new MicrophoneTape(stream, {
      heard: (peaks, elapsed) => {
        this.peaks = peaks
        this.elapsed = elapsed
      },
      recorded: (chunk, progress) => void copy.append(chunk, progress),
      ended: (note) => {
        this.#idle()
        void this.#finish(note, copy)
      },
    })
  }

  async #finish(note: RecordedNote, copy: RecordingCopy): Promise<void> {
    if (note.blob.size > 0) await this.done(note)
    await copy.discard()
  }

  #idle(): void {
    this.#tape = this.#copy = this.press = undefined
    this.phase = "idle"
  }
}

interface Listener {
  heard(moments: readonly number[], elapsed: number): void
  recorded(chunk: Blob, progress: RecordingProgress): void
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
    this.#recorder.ondataavailable = ({ data }) => this.#take(data)
    this.#recorder.onstop = () => this.#ended() // also if the microphone is unplugged
    void this.#audio.resume() // the permission dialog may outlast the user activation that some browsers require
    this.#recorder.start(CHUNK_MS)
    this.#timer = setInterval(() => this.#measure(), SAMPLE_EVERY_MS)
  }

  stop(): void {
    this.#length = this.#elapsed
    if (this.#recorder.state !== "inactive") this.#recorder.stop()
  }

  discard(): void {
    this.#recorder.onstop = this.#recorder.ondataavailable = null
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

  #take(chunk: Blob): void {
    this.#chunks.push(chunk)
    const bytes = chunk.slice(0, chunk.size, plainType(this.#recorder))
    this.listener.recorded(bytes, { duration_ms: Math.round(this.#elapsed), waveform: waveform(this.#peaks) })
  }

  #ended(): void {
    this.#length ||= this.#elapsed
    this.#close()
    this.listener.ended({
      blob: new Blob(this.#chunks, { type: plainType(this.#recorder) }),
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

/** The media type without parameters such as the codec. */
function plainType({ mimeType }: MediaRecorder): string {
  return mimeType.replace(/;.*/, "")
}

function releaseMicrophone(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop()
}
