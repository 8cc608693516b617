import { expect, test } from "vitest"

import { missingFeatures } from "./missing-features"

class Passkey {
  static parseCreationOptionsFromJSON() {}
  toJSON() {}
}

const whole = {
  Notification: class {},
  PushManager: class {},
  PublicKeyCredential: Passkey,
  MediaRecorder: class {},
  navigator: { serviceWorker: {}, mediaDevices: {}, clipboard: {} },
}

test("over HTTPS a browser of today withholds nothing", () => {
  expect(missingFeatures(whole)).toEqual([])
})

test("over plain HTTP everything is missing that needs a safe way", () => {
  expect(missingFeatures({ Notification: class {}, navigator: {} })).toEqual([
    "notices",
    "passkeys",
    "offline",
    "microphone",
    "clipboard",
  ])
})

test("a page on a phone that must be installed first gets no notices, and everything else", () => {
  const { PushManager: _, ...phone } = whole
  expect(missingFeatures(phone)).toEqual(["notices"])
})

test("a microphone is of no use to a browser that cannot record", () => {
  expect(missingFeatures({ ...whole, MediaRecorder: undefined })).toEqual(["microphone"])
  expect(missingFeatures({ ...whole, navigator: { ...whole.navigator, mediaDevices: undefined } })).toEqual([
    "microphone",
  ])
})

test("a browser that has passkeys, but not in JSON, is one without", () => {
  expect(missingFeatures({ ...whole, PublicKeyCredential: class {} })).toEqual(["passkeys"])
})
