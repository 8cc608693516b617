/** Browser features missing here: several over plain HTTP, some in certain browsers. */

const FEATURES = ["notices", "passkeys", "offline", "microphone", "clipboard"] as const
export type Feature = (typeof FEATURES)[number]

/** The parts of a browser that matter here. Disabled features are absent, so they can be detected. */
export interface Browser {
  readonly Notification?: unknown
  readonly PushManager?: unknown
  readonly PublicKeyCredential?: unknown
  readonly MediaRecorder?: unknown
  readonly navigator: {
    readonly serviceWorker?: unknown
    readonly mediaDevices?: unknown
    readonly clipboard?: unknown
  }
}

export function missingFeatures(browser: Browser): readonly Feature[] {
  const { serviceWorker, mediaDevices, clipboard } = browser.navigator
  const available: Readonly<Record<Feature, boolean>> = {
    notices: Boolean(serviceWorker && browser.PushManager && browser.Notification),
    passkeys: hasPasskeys(browser),
    offline: Boolean(serviceWorker),
    microphone: Boolean(mediaDevices && browser.MediaRecorder),
    clipboard: Boolean(clipboard),
  }
  return FEATURES.filter((feature) => !available[feature])
}

/** Whether passkeys are supported, including their JSON serialisation. */
export function hasPasskeys({ PublicKeyCredential: passkey }: Browser): boolean {
  return typeof passkey === "function" && "parseCreationOptionsFromJSON" in passkey && "toJSON" in passkey.prototype
}
