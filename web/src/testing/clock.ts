/** Fake time for the tests of the sync layer, and helpers that wait for asynchronous work without real time. */
import { setImmediate } from "node:timers"

import { vi } from "vitest"

const SETTLE_ROUNDS = 40
const MAX_ROUNDS = 1_000

/** Replaces timers and the date, and leaves `setImmediate` alone: fake-indexeddb runs its transactions with it. */
export function installClock(): void {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
    now: new Date("2026-11-23T12:00:00Z"),
  })
}

/** Waits until database transactions, tab messages and network replies that are due have been processed. */
export async function settle(): Promise<void> {
  for (let round = 0; round < SETTLE_ROUNDS; round += 1) await nextRound()
}

/** Advances the clock by `ms`, and processes what becomes due. */
export async function pass(ms: number): Promise<void> {
  await settle()
  await vi.advanceTimersByTimeAsync(ms)
  await settle()
}

/** Waits until an assertion holds, while the clock stands still; rethrows its error if it never does. */
export async function eventually(assertion: () => void): Promise<void> {
  for (let round = 0; ; round += 1) {
    try {
      assertion()
      return
    } catch (error) {
      if (round === MAX_ROUNDS) throw error
      await nextRound()
    }
  }
}

async function nextRound(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}
