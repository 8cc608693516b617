import { expect, test } from "vitest"

import { onlyEmoji, linkify } from "./linkify"

const links = (text: string) => linkify(text).flatMap((piece) => (piece.kind === "link" ? [piece.href] : []))

test("an address becomes a link, and the sentence around it stays as it is", () => {
  const said = "See https://example.org/buns?q=1#top, it is good."
  expect(linkify(said).map((piece) => piece.text)).toEqual([
    "See ",
    "https://example.org/buns?q=1#top",
    ", it is good.",
  ])
})

test.each([
  ["(https://example.org/a)", "https://example.org/a"],
  ["https://example.org/Bun_(food)", "https://example.org/Bun_(food)"],
  ["https://example.org/a!!", "https://example.org/a"],
  ["ここ→https://example.org/a。", "https://example.org/a"],
])("%s links to %s", (said, href) => expect(links(said)).toEqual([href]))

test.each([
  "javascript:alert(1)",
  "data:text/html,hi",
  "file:///etc/passwd",
  "https://",
  "https://bank.example@evil.example",
])("%s is no link", (said) => {
  expect(links(said)).toEqual([])
  expect(linkify(said)).toEqual([{ kind: "words", text: said }])
})

test("nothing is lost or invented, whatever is said", () => {
  for (const said of ["", "one\ntwo", "https://a.example https://b.example", "a https://a.example."]) {
    expect(
      linkify(said)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(said)
  }
})

test("a few emoji alone are large; with words, in numbers, or as digits they are not", () => {
  expect(["🥦", "👨‍👩‍👧‍👦 ❤️", "🇸🇪🇯🇵"].every(onlyEmoji)).toBe(true)
  expect(["", "ok 🥦", "7", "🥦".repeat(7)].some(onlyEmoji)).toBe(false)
})
