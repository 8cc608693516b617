/** When the search may fetch the history: not while the user is busy, on a metered network, or on a low battery. */

/** Between two requests of the history. */
const PAUSE_MS = 200
/** The user is busy for this long after a key, a press, or a movement of the page. */
const BUSY_MS = 1_000
const IDLE_TIMEOUT_MS = 2_000
const LOW_BATTERY = 0.2
/** A message that arrives in sight moves the page, too. */
const ACTIVITY = ["keydown", "input", "pointerdown", "touchmove", "wheel", "scroll"]
const LISTENING = { capture: true, passive: true }

/** What the client says about a network, where the browser tells. */
interface NetworkInformation extends EventTarget {
  readonly saveData?: boolean
  readonly type?: string
}

interface BatteryManager extends EventTarget {
  readonly charging: boolean
  /** From 0 to 1. */
  readonly level: number
}

/** Parts of the Web platform that some browsers lack. */
interface DeviceInformation {
  readonly connection?: NetworkInformation
  getBattery?(): Promise<BatteryManager>
}

export class FillConditions {
  #busyUntil = 0
  #battery: BatteryManager | undefined
  #closed = false

  /** @param changed called when the network, the battery or the visibility of the page changes */
  constructor(private readonly changed: () => void) {
    for (const type of ACTIVITY) addEventListener(type, this.#noteActivity, LISTENING)
    document.addEventListener("visibilitychange", changed)
    device().connection?.addEventListener("change", changed)
    void this.#watchBattery()
  }

  /** Whether the device saves data or energy. */
  get saving(): boolean {
    const { saveData = false, type } = device().connection ?? {}
    return saveData || type === "cellular" || this.#isBatteryLow
  }

  /** Resolves after a pause, when the user has done nothing for a while and the page has time. */
  async idle(): Promise<void> {
    await passed(PAUSE_MS)
    for (let rest = this.#busyRest; rest > 0; rest = this.#busyRest) await passed(rest)
    // Missing in Safari.
    const { requestIdleCallback: whenIdle } = globalThis as {
      requestIdleCallback?: (callback: () => void, options: { timeout: number }) => void
    }
    if (whenIdle) await new Promise<void>((resume) => whenIdle(resume, { timeout: IDLE_TIMEOUT_MS }))
  }

  close(): void {
    this.#closed = true
    this.#busyUntil = 0
    for (const type of ACTIVITY) removeEventListener(type, this.#noteActivity, LISTENING)
    document.removeEventListener("visibilitychange", this.changed)
    device().connection?.removeEventListener("change", this.changed)
    for (const type of BATTERY_EVENTS) this.#battery?.removeEventListener(type, this.changed)
  }

  readonly #noteActivity = () => (this.#busyUntil = Date.now() + BUSY_MS)

  get #busyRest(): number {
    return Math.min(this.#busyUntil - Date.now(), BUSY_MS) // The clock may have been set back.
  }

  get #isBatteryLow(): boolean {
    return this.#battery !== undefined && !this.#battery.charging && this.#battery.level <= LOW_BATTERY
  }

  async #watchBattery(): Promise<void> {
    // Only Chromium has it, over HTTPS, and a policy may forbid it.
    const battery = await device()
      .getBattery?.()
      .catch(() => undefined)
    if (!battery || this.#closed) return
    this.#battery = battery
    for (const type of BATTERY_EVENTS) battery.addEventListener(type, this.changed)
    if (this.#isBatteryLow) this.changed()
  }
}

const BATTERY_EVENTS = ["chargingchange", "levelchange"]

function device(): DeviceInformation {
  return navigator as DeviceInformation
}

function passed(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms))
}
