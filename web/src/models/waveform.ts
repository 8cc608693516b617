/** The waveform of a voice note: measured while recording, drawn while playing. */

/** Number of bars, drawn and sent. */
export const BARS = 64
const MOST = 100
/** Minimum loudness that fills a bar, so that silence is not amplified. */
const QUIET = 0.05

/** Loudness of a block of samples, from 0 to 1: its peak. */
export function peak(samples: Float32Array): number {
  let highest = 0
  for (const sample of samples) highest = Math.max(highest, Math.abs(sample))
  return Math.min(highest, 1)
}

/** The waveform of a recording, values from 0 to 100: each bar is the peak of its blocks. */
export function waveform(peaks: readonly number[], bars = BARS): readonly number[] {
  const loudest = Math.max(QUIET, ...bucketed(peaks, bars))
  return bucketed(peaks, bars).map((level) => Math.round((level / loudest) * MOST))
}

/** Normalises a received waveform for drawing; a flat line if there is none. */
export function barsOf(shape: readonly number[] | null | undefined): readonly number[] {
  return shape?.length ? shape : Array<number>(BARS).fill(0)
}

/** Formats a duration: `1:07`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.max(ms, 0) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}

/** Playback position from 0 to 1, regardless of the declared duration. */
export function playedShare(at: number, length: number): number {
  return length > 0 ? Math.min(Math.max(at / length, 0), 1) : 0
}

function bucketed(peaks: readonly number[], bars: number): readonly number[] {
  return Array.from({ length: bars }, (_, bar) => {
    const from = Math.floor((bar * peaks.length) / bars)
    const until = Math.max(Math.floor(((bar + 1) * peaks.length) / bars), from + 1)
    return Math.max(0, ...peaks.slice(from, until))
  })
}
