/** What a browser does not let this page do: all of it over plain HTTP, some of it in some browsers. */

const FEATURES = ["notices", "passkeys", "offline", "microphone", "clipboard"] as const
export type Feature = (typeof FEATURES)[number]

/** A browser, as far as it matters here: it hides most of what it withholds, so that one can see what is missing. */
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

/** Whether passkeys can be made and used, with the JSON that the server speaks. */
export function hasPasskeys({ PublicKeyCredential: passkey }: Browser): boolean {
  return typeof passkey === "function" && "parseCreationOptionsFromJSON" in passkey && "toJSON" in passkey.prototype
}
