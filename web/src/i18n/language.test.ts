// @vitest-environment happy-dom
import { get } from "svelte/store"
import { afterEach, expect, test, vi } from "vitest"

import { language, speak, speakOwnLanguage, t } from "./language"
import { LANGUAGES } from "./translate"

afterEach(() => {
  vi.restoreAllMocks()
  localStorage.clear()
})

test("the texts of the device's language are loaded before they are shown", async () => {
  localStorage.setItem("famichat.language", "ja")
  await speakOwnLanguage()
  expect(get(t)("message.reply")).toBe("返信")
  expect(document.documentElement.lang).toBe("ja")
  await speak("en")
  expect(get(t)("message.reply")).toBe("Reply")
})

test("a language that cannot be loaded is not spoken before the next start", async () => {
  vi.spyOn(console, "warn").mockReturnValue()
  vi.spyOn(LANGUAGES["ja"] ?? expect.fail(), "load").mockRejectedValueOnce(new TypeError("offline"))
  await speak("ja")
  expect(get(language)).toBe("en")
  await speakOwnLanguage()
  expect(get(t)("message.reply")).toBe("返信")
})
