/** The layout of several photos in one bubble: rows of equal height that fill the width. */

export interface AlbumRow {
  readonly height: number
  /** The width of each photo. */
  readonly widths: readonly number[]
}

/** Space between photos, in the unit of the width. */
export const GAP = 2

/** Numbers of photos per row, by the number of photos. */
const LANDSCAPE_ROWS: Record<number, readonly number[]> = {
  3: [1, 2],
  4: [2, 2],
  5: [2, 3],
  6: [2, 2, 2],
  7: [2, 2, 3],
  8: [2, 3, 3],
  9: [3, 3, 3],
  10: [2, 2, 3, 3],
}
const PORTRAIT_ROWS: Record<number, readonly number[]> = {
  4: [2, 2],
  5: [2, 3],
  6: [3, 3],
  7: [3, 4],
  8: [4, 4],
  9: [3, 3, 3],
  10: [3, 3, 4],
}
/** Below this mean ratio, the photos are placed as portraits. */
const PORTRAIT_BELOW = 0.85
/** Two photos that are both wider than this are below each other. */
const WIDE = 1.6
const MIN_WIDTH = 64
/** Limits of the height of a row, and of the album, as shares of the width. */
const [MIN_ROW, MAX_ROW, MAX_HEIGHT] = [0.25, 0.66, 1.25]

/**
 * Places photos in rows, in their order.
 *
 * @param ratios width divided by height of each photo, at most 10
 * @param width of the album
 */
export function albumRows(ratios: readonly number[], width: number): readonly AlbumRow[] {
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length
  const [least, most] = mean > 1.1 ? [1, 2.2] : [0.67, 1.2]
  const limited = ratios.map((ratio) => clamp(ratio, least, most))
  let from = 0
  const rows = rowLengths(ratios, mean).map((length) => rowOf(limited.slice(from, (from += length)), width))
  const gaps = GAP * (rows.length - 1)
  const total = rows.reduce((sum, { height }) => sum + height, 0)
  const scale = Math.min(1, (width * MAX_HEIGHT - gaps) / total)
  return rows.map((row) => ({ ...row, height: row.height * scale }))
}

function rowLengths(ratios: readonly number[], mean: number): readonly number[] {
  if (ratios.length === 2 && ratios.every((ratio) => ratio > WIDE)) return [1, 1]
  return (mean < PORTRAIT_BELOW ? PORTRAIT_ROWS : LANDSCAPE_ROWS)[ratios.length] ?? [ratios.length]
}

function rowOf(ratios: readonly number[], width: number): AlbumRow {
  const free = width - GAP * (ratios.length - 1)
  const sum = ratios.reduce((total, ratio) => total + ratio, 0)
  const widths = ratios.map((ratio) => (free * ratio) / sum)
  return {
    height: clamp(free / sum, width * MIN_ROW, width * MAX_ROW),
    widths: Math.min(...widths) < MIN_WIDTH ? ratios.map(() => free / ratios.length) : widths,
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
