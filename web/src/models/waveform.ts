/** How loud a voice note is, from moment to moment: measured while it is recorded, drawn where it is played. */

/** As many bars are drawn, and told to the others. */
export const BARS = 64
const MOST = 100
/** So loud is at least what fills a bar: silence stays a thin line, and is not blown up. */
const QUIET = 0.05

/** How loud a moment is, from 0 to 1: as far as its samples reach. */
export function peak(samples: Float32Array): number {
  let highest = 0
  for (const sample of samples) highest = Math.max(highest, Math.abs(sample))
  return Math.min(highest, 1)
}

/** The shape of a whole note, in numbers from 0 to 100: each bar as high as the loudest of its moments. */
export function waveform(peaks: readonly number[], bars = BARS): readonly number[] {
  const loudest = Math.max(QUIET, ...bucketed(peaks, bars))
  return bucketed(peaks, bars).map((level) => Math.round((level / loudest) * MOST))
}

/** What is drawn of a shape that somebody else sent; of none, a line. */
export function barsOf(shape: readonly number[] | null | undefined): readonly number[] {
  return shape?.length ? shape : Array<number>(BARS).fill(0)
}

/** How long something takes, as a clock shows it: `1:07`. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(Math.max(ms, 0) / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}

/** Where in a note one is, from 0 to 1, whatever its sender says of its length. */
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
