/** The part of a message around its first hit, cut into parts that are hits and parts that are not. */
import { graphemes } from "../text/graphemes"
import { fold } from "./fold"

export interface ExcerptPart {
  readonly text: string
  readonly hit: boolean
}

/** Graphemes shown before the first hit, and in total: two lines of a wide list. */
const BEFORE = 24
const LENGTH = 140
/** A message of 64 KiB would take a while to cut; a hit behind this many UTF-16 units is not marked. */
const MAX_UNITS = 20_000

/** @param words folded, as `queryWords` returns them */
export function excerpt(text: string, words: readonly string[]): readonly ExcerptPart[] {
  const pieces = graphemes(text.slice(0, MAX_UNITS))
  const hits = hitPieces(pieces, words)
  const first = Math.max(hits.indexOf(true), 0)
  const from = startOf(pieces, first)
  const to = Math.min(from + LENGTH, pieces.length)
  const parts: { text: string; hit: boolean }[] = from > 0 ? [{ text: "…", hit: false }] : []
  for (let index = from; index < to; index++) {
    const [piece, hit] = [pieces[index] ?? "", hits[index] ?? false]
    const last = parts.at(-1)
    if (last?.hit === hit) last.text += piece
    else parts.push({ text: piece, hit })
  }
  if (to < pieces.length) parts.push({ text: "…", hit: false })
  return parts
}

/** For each piece, whether it belongs to a hit. */
function hitPieces(pieces: readonly string[], words: readonly string[]): boolean[] {
  const hits = pieces.map(() => false)
  const owners: number[] = [] // of each UTF-16 unit of the folded text
  let folded = ""
  for (const [index, piece] of pieces.entries()) {
    folded += fold(piece)
    while (owners.length < folded.length) owners.push(index)
  }
  for (const word of words) {
    for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) {
      for (const owner of owners.slice(at, at + word.length)) hits[owner] = true
    }
  }
  return hits
}

/** Starts before the first hit, at the beginning of a word if there is one. */
function startOf(pieces: readonly string[], first: number): number {
  if (first <= BEFORE) return 0
  const space = pieces.slice(first - BEFORE, first).findIndex((piece) => piece.trim() === "")
  return first - BEFORE + (space < 0 ? 0 : space + 1)
}
