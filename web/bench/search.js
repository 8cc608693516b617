/**
 * Measures the search among 100,000 messages, of which 30 % are Japanese: `npm run bench:search`.
 *
 * Node runs the same code as the search worker, without the database: a structured copy of the segments stands for loading
 * them. The texts are generated from a list of words with a fixed seed.
 */
import { setTimeout } from "node:timers/promises"

import { runnerImport } from "vite"

const MESSAGES = 100_000
const CONVERSATIONS = 12
const JAPANESE_SHARE = 0.3
const SEGMENT = 1_024
const LIMIT = 20
const RUNS = 20
const START = Date.UTC(2022, 0, 1) / 1_000
const SECONDS_BETWEEN = 1_200

const ENGLISH =
  "the ferry leaves at noon please bring milk and bread who picks up grandma from the station tomorrow café photos of summer house are lovely thank you see you later dinner is ready can someone water the plants yes no maybe school starts again on monday happy birthday".split(
    " ",
  )
const JAPANESE =
  "明日の フェリーは 正午に 出ます 牛乳と パンを 買って きて ください おばあちゃんを 駅まで 迎えに 行くのは だれ サクラの 写真 ありがとう 晩ごはん できたよ 学校は 月曜日から です".split(
    " ",
  )
const QUERIES = ["ferry", "station tomorrow", "e", "サクラ", "の", "cafe", "needle", "absent"]

const options = { configFile: false, logLevel: "error" }
const load = async (name) => (await runnerImport(`./src/models/search/${name}.ts`, options)).module
const [{ fold, queryWords }, { withLines }, { Scan }, { excerpt }] = await Promise.all(
  ["fold", "segment", "scan", "excerpt"].map(load),
)

let state = 20_261_130
function random(below) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

function text(index) {
  if (index === 777) return "the needle in the haystack"
  const japanese = random(100) < JAPANESE_SHARE * 100
  const words = Array.from({ length: 3 + random(japanese ? 7 : 10) }, () =>
    japanese ? JAPANESE[random(JAPANESE.length)] : ENGLISH[random(ENGLISH.length)],
  )
  return words.join(japanese ? "" : " ")
}

const milliseconds = (value) => `${value.toFixed(1)} ms`
const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`

async function memory() {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc()
    await setTimeout(50)
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** The segments as they are stored: copied, so that no string shares memory with the generated texts. */
function buildSegments() {
  const started = performance.now()
  let folding = 0
  let characters = 0
  const parts = []
  for (let conversation = 0; conversation < CONVERSATIONS; conversation += 1) {
    for (let first = 1; first <= MESSAGES / CONVERSATIONS; first += SEGMENT) {
      const lines = new Map()
      for (let seq = first; seq < first + SEGMENT && seq <= MESSAGES / CONVERSATIONS; seq += 1) {
        const written = text(conversation * 10_000 + seq)
        characters += written.length
        const before = performance.now()
        const folded = fold(written)
        folding += performance.now() - before
        lines.set(seq, { text: folded, time: START + (seq * CONVERSATIONS + conversation) * SECONDS_BETWEEN })
      }
      parts.push(
        withLines({ conversationId: `c${conversation}`, number: Math.floor(first / SEGMENT) }, undefined, lines),
      )
    }
  }
  console.log(`generated and folded: ${characters} characters, ${milliseconds(performance.now() - started)}`)
  console.log(`folding: ${((folding / MESSAGES) * 1_000).toFixed(1)} µs per message`)
  return JSON.parse(JSON.stringify(parts), (key, value) =>
    ["starts", "seqs", "times", "locked"].includes(key) ? Uint32Array.from(Object.values(value)) : value,
  )
}

/** As `SearchService.search`. */
function search(segments, query) {
  const scan = new Scan(queryWords(query), LIMIT)
  for (const segment of [...segments].sort((one, other) => other.newest - one.newest)) {
    if (scan.endsBefore(segment.newest)) break
    scan.scan(segment)
  }
  return scan
}

let stored = buildSegments()
const before = await memory()
const copying = performance.now()
const segments = structuredClone(stored)
console.log(`copying ${segments.length} segments: ${milliseconds(performance.now() - copying)}`)
console.log(`memory of the segments: ${megabytes((await memory()) - before)}`)
stored = undefined

for (const query of QUERIES) {
  const times = Array.from({ length: RUNS }, () => {
    const started = performance.now()
    search(segments, query)
    return performance.now() - started
  })
  const [first] = times
  const sorted = [...times].sort((one, other) => one - other)
  const { hits, count } = search(segments, query)
  console.log(
    `${query}: ${hits.length} of ${count}, first ${milliseconds(first)}, median ${milliseconds(sorted[RUNS / 2])}, longest ${milliseconds(sorted.at(-1))}`,
  )
}

const one = segments[0]
const rewriting = performance.now()
withLines({ conversationId: "c0", number: 0 }, one, new Map([[5, { text: "edited", time: START }]]))
console.log(`rewriting a segment: ${milliseconds(performance.now() - rewriting)}`)
const cutting = performance.now()
for (let round = 0; round < LIMIT; round += 1) excerpt("The ferry leaves at noon. ".repeat(8), ["noon"])
console.log(`${LIMIT} excerpts: ${milliseconds(performance.now() - cutting)}`)
