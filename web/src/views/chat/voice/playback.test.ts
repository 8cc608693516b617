// @vitest-environment happy-dom
/** Playback of voice messages: their speed, what follows, and what happens when their bubble is gone. */
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { settle } from "../../../testing/clock"
import { player, type Playback, type VoiceSource } from "./playback.svelte"

/** The players of the browser, in the order in which they were created. */
const audios: FakeAudio[] = []
/** The bubbles that are left at the end of a test. */
const bubbles: Playback[] = []

class FakeAudio {
  currentTime = 0
  playbackRate = 1
  paused = true
  onended?: () => void
  onpause?: () => void
  onplay?: () => void
  constructor() {
    audios.push(this)
  }
  async play() {
    this.paused = false
    this.onplay?.()
  }
  pause() {
    this.paused = true
    this.onpause?.()
  }
}

beforeEach(() => vi.stubGlobal("Audio", FakeAudio))
afterEach(() => {
  player.end()
  for (const playback of bubbles.splice(0)) player.detach(playback)
  player.rate = 1
  audios.length = 0
  vi.unstubAllGlobals()
})

function source(key: string, next?: VoiceSource): VoiceSource {
  return { key, load: async () => new Blob([key]), length: 3_000, userId: "inga", next: () => next }
}

function attach(voice: VoiceSource): Playback {
  const playback = player.attach(voice)
  bubbles.push(playback)
  return playback
}

function detach(playback: Playback): void {
  bubbles.splice(bubbles.indexOf(playback), 1)
  player.detach(playback)
}

async function play(voice: VoiceSource) {
  const playback = attach(voice)
  await playback.play()
  return playback
}

test("only one voice message plays", async () => {
  const first = await play(source("a"))
  const second = await play(source("b"))
  expect([first.playing, second.playing]).toEqual([false, true])
})

test("the speed goes from 1 to 1.5 to 2 and back, for this voice message and those that follow", async () => {
  await play(source("a"))
  player.changeRate()
  expect(audios[0]?.playbackRate).toBe(1.5)
  await play(source("b"))
  expect(audios[1]?.playbackRate).toBe(1.5)
  player.changeRate()
  expect([audios[1]?.playbackRate, player.rate]).toEqual([2, 2])
  player.changeRate()
  expect(player.rate).toBe(1)
})

test("the next voice message plays after the end, in the bubble that shows it", async () => {
  const next = source("b")
  const shown = attach(next)
  const first = await play(source("a", next))
  audios[0]?.onended?.()
  await settle()
  expect([first.playing, first.at, shown.playing]).toEqual([false, 0, true])
})

test("playback ends after the last one", async () => {
  const last = await play(source("a"))
  audios[0]?.onpause?.()
  audios[0]?.onended?.()
  await settle()
  expect([last.playing, audios.length]).toEqual([false, 1])
})

test("a voice message plays on when its bubble is gone, and the bubble that returns shows it", async () => {
  const voice = source("a")
  const playback = await play(voice)
  expect(player.elsewhere).toBeUndefined()
  detach(playback)
  expect([playback.playing, player.elsewhere]).toEqual([true, playback])
  expect(attach(voice)).toBe(playback)
  expect(player.elsewhere).toBeUndefined()
})

test("one that is paused when its bubble goes is over", async () => {
  const playback = await play(source("a"))
  playback.pause()
  detach(playback)
  expect(player.elsewhere).toBeUndefined()
})

test("one that plays elsewhere is over when another starts, or when the user ends it", async () => {
  const first = await play(source("a"))
  detach(first)
  const second = await play(source("b"))
  expect([first.playing, player.elsewhere]).toEqual([false, undefined])
  detach(second)
  player.end()
  expect([second.playing, player.elsewhere]).toEqual([false, undefined])
})
