import { describe, expect, test } from "vitest"

import { en, type Key } from "./en"
import { ja } from "./ja"
import { choose, joined, LANGUAGES, refusalKey, translatorOf } from "./translate"

const languages = await Promise.all(
  Object.entries(LANGUAGES).map(async ([tag, { load }]) => [tag, await load()] as const),
)
const placeholders = (text: unknown) => new Set(JSON.stringify(text).match(/\{\w+\}/g) ?? [])

describe.each(languages)("%s", (_, messages) => {
  test("has every sentence, and no others", () => {
    expect(Object.keys(messages).sort()).toEqual(Object.keys(en).sort())
  })

  test.each(Object.keys(en) as Key[])("%s is not empty and fills in what the English one does", (key) => {
    expect(JSON.stringify(messages[key])).not.toContain('""')
    expect(placeholders(messages[key])).toEqual(placeholders(en[key]))
  })
})

test("no text promises that no one else can read a message, except where it is encrypted: the operator can", () => {
  const shownInEncryptedNotes: readonly string[] = ["write.privateNotes", "write.privateNotesFrom"] satisfies Key[]
  const promises = /(no ?one|nobody) else|only you (can|see)|never leaves|あなただけが(読|見)|だれにも/i
  const texts = languages.flatMap(([, messages]) =>
    Object.entries(messages)
      .filter(([key]) => !shownInEncryptedNotes.includes(key))
      .map(([, text]) => JSON.stringify(text)),
  )
  expect(texts.filter((text) => promises.test(text))).toEqual(['"No one else has joined your family yet."'])
})

test("a count chooses the form", () => {
  const t = translatorOf(en, "en")
  expect(t("shelf.unread", { n: 1 })).toBe("1 unread message")
  expect(t("shelf.unread", { n: 3 })).toBe("3 unread messages")
  expect(translatorOf(ja, "ja")("shelf.unread", { n: 1 })).toBe("未読 1 件")
})

test("an inserted value is not expanded again", () => {
  expect(translatorOf(en, "en")("room.newFrom", { name: "{text}", text: "hi" })).toBe("{text}: hi")
})

test("the first language that we speak is chosen, else English", () => {
  expect(choose(["sv-SE", "ja-JP", "en"])).toBe("ja")
  expect(choose(["sv-SE"])).toBe("en")
})

test("an unknown error code still gets a text", () => {
  expect(refusalKey("weak_password")).toBe("error.weak_password")
  expect(refusalKey("teapot")).toBe("error.unknown")
})

test("names are joined as the language does it", () => {
  expect(joined("en", ["Maja", "Emil", "Inga"])).toBe("Maja, Emil, and Inga")
  expect(joined("ja", ["Maja", "Emil"])).toContain("Maja")
})

test("the instance's name replaces Famichat in every text of the interface only", () => {
  const t = translatorOf(en, "en", "Sundqvists")
  expect(t("page.old")).toBe("There's a new version of Sundqvists.")
  expect(t("room.newFrom", { name: "Maja", text: "Famichat!" })).toBe("Maja: Famichat!")
})
