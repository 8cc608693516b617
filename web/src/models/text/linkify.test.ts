import { afterEach, expect, test, vi } from "vitest"

import { linkify, MAX_URL_LENGTH, onlyEmoji } from "./linkify"

const WIKI = "https://en.wikipedia.example/wiki/"
const links = (text: string) => linkify(text).flatMap((part) => (part.kind === "link" ? [part.href] : []))
const whole = (text: string) =>
  linkify(text)
    .map((part) => part.text)
    .join("")

afterEach(() => vi.restoreAllMocks())

test("an address becomes a link, and the sentence around it stays as it is", () => {
  const said = "See https://example.org/buns?q=1#top, it is good."
  expect(linkify(said).map((part) => part.text)).toEqual(["See ", "https://example.org/buns?q=1#top", ", it is good."])
})

test.each([
  // brackets and quotes
  [`see ${WIKI}Newton's_laws_of_motion there`, `${WIKI}Newton's_laws_of_motion`],
  [`see ${WIKI}Pluto_(planet) there`, `${WIKI}Pluto_(planet)`],
  [`(see ${WIKI}Pluto_(planet))`, `${WIKI}Pluto_(planet)`],
  [`(${WIKI}A_(b)_c)`, `${WIKI}A_(b)_c`],
  [`((${WIKI}A))`, `${WIKI}A`],
  [`${WIKI}Pluto_(planet), yes`, `${WIKI}Pluto_(planet)`],
  [`[${WIKI}A](b)`, `${WIKI}A`],
  ["https://shop.example/?ids[]=1&q=a[1]", "https://shop.example/?ids[]=1&q=a[1]"],
  ["<https://a.example/x>", "https://a.example/x"],
  ['"https://a.example/x"', "https://a.example/x"],
  ["'https://a.example/x'", "https://a.example/x"],
  ["“https://a.example/x”", "https://a.example/x"],
  ["https://a.example/'x'", "https://a.example/'x'"],
  ["https://a.example/x(", "https://a.example/x"],
  // punctuation of the sentence
  ["look: https://a.example/x.", "https://a.example/x"],
  ["https://example.org/a!!", "https://example.org/a"],
  ["https://a.example/x...", "https://a.example/x"],
  ["**https://a.example/x**", "https://a.example/x"],
  ["https://a.example/x_", "https://a.example/x_"],
  ["https://a.example/a|b", "https://a.example/a|b"],
  // other scripts
  ["网址https://a.example/x：很好", "https://a.example/x"],
  ["网址https://a.example：很好", "https://a.example/"],
  ["看https://a.example/x（说明）", "https://a.example/x"],
  ["見てhttps://a.example/x。ね", "https://a.example/x"],
  ["ここ→https://example.org/a。", "https://example.org/a"],
  ["https://ja.example/wiki/代々木", "https://ja.example/wiki/%E4%BB%A3%E3%80%85%E6%9C%A8"],
  ["https://müller.example/weg", "https://xn--mller-kva.example/weg"],
  ["\u202ehttps://elpmaxe.live\u202c", "https://elpmaxe.live/"],
  // parts of a URL
  ["https://a.example/x?a=1&b=2#c", "https://a.example/x?a=1&b=2#c"],
  ["https://maps.example/@48.1,11.5,17z", "https://maps.example/@48.1,11.5,17z"],
  ["https://a.example:8443/x", "https://a.example:8443/x"],
  ["HTTPS://A.EXAMPLE/X", "https://a.example/X"],
  ["http://[::1]:4000/x", "http://[::1]:4000/x"],
  // without a scheme
  ["www.a.example/x", "https://www.a.example/x"],
  ["(WWW.a.example)", "https://www.a.example/"],
])("%s links to %s", (said, href) => {
  expect(links(said)).toEqual([href])
  expect(whole(said)).toBe(said)
})

test.each([
  "javascript:alert(1)",
  "data:text/html,hi",
  "file:///etc/passwd",
  "https://",
  "https://bank.example@evil.example",
  "https://:secret@evil.example",
  "xhttps://a.example",
  "www.",
  "www.example",
  "www...",
  "ftp://www.a.example",
  `https://a.example/${"x".repeat(MAX_URL_LENGTH)}`,
])("%s is no link", (said) => {
  expect(links(said)).toEqual([])
  expect(linkify(said)).toEqual([{ kind: "words", text: said }])
})

test.each([
  ["write to maja@example.org, please", "mailto:maja@example.org"],
  ["(maja.sundqvist+ferry@mail.example.co.jp)", "mailto:maja.sundqvist+ferry@mail.example.co.jp"],
  ["メールはmaja@example.jpまで", "mailto:maja@example.jp"],
  ["mailto:maja@example.org.", "mailto:maja@example.org"],
  ["emil@www.a.example", "mailto:emil@www.a.example"],
  ["100%sure@example.org", "mailto:100%25sure@example.org"],
  ["0700@example.org", "mailto:0700@example.org"],
  ["call +46 70 123 45 67!", "tel:+46701234567"],
  ["070-123 45 67", "tel:0701234567"],
  ["電話は03-1234-5678です", "tel:0312345678"],
  ["(03) 1234 5678", "tel:0312345678"],
  ["070-123 45 67 at 7, or 0707654321 2 pm", "tel:0701234567 tel:0707654321"],
  ["call 0701234567 18:00", "tel:0701234567"],
  ["my number (0701234567)", "tel:0701234567"],
  ["+49 (0)30 123456", "tel:+4930123456"],
  ["0701234567\n0707654321", "tel:0701234567 tel:0707654321"],
])("%s links to %s, too", (said, hrefs) => {
  expect(links(said).join(" ")).toBe(hrefs)
  expect(whole(said)).toBe(said)
})

test.each([
  "maja@example",
  "@example.org",
  "maja@example.org@evil.example",
  "ftp://maja@example.org",
  `${"a".repeat(65)}@example.org`,
  "a@b..example",
  "01.02.2026",
  "09.30-16.00",
  "0800 - 1600",
  "at 07:30, not 08:00",
  "0.12345678",
  "012345",
  "0123456789012345",
  "1234567",
  "order A0701234567",
  "10070123456",
  "0701234567abc",
  "+",
  "2026-01-02 03:04:05",
])("%s is neither an email address nor a phone number", (said) => {
  expect(linkify(said)).toEqual([{ kind: "words", text: said }])
})

test("no text is lost or added", () => {
  for (const said of [
    "",
    "one\ntwo",
    "https://a.example https://b.example",
    "a https://a.example.",
    "https://[",
    "'",
  ]) {
    expect(whole(said)).toBe(said)
  }
  expect(links("https://a.example, https://b.example")).toEqual(["https://a.example/", "https://b.example/"])
})

test.each([
  ["closing brackets", (n: number) => `https://a${")".repeat(n)}x`],
  ["opening brackets", (n: number) => `https://a${"(".repeat(n)}x`],
  ["punctuation", (n: number) => `https://a${".".repeat(n)} x`],
  ["quotes", (n: number) => `https://a${"'".repeat(n)}`],
  ["refused addresses", (n: number) => "https://u@".repeat(n / 10)],
  ["beginnings", (n: number) => "https://www.".repeat(n / 10)],
  ["one host name", (n: number) => `https://${"ü".repeat(n)}`],
  ["emoji", (n: number) => "🥦".repeat(n / 2)],
  ["email addresses", (n: number) => "a@b.".repeat(n / 4)],
  ["long words with an @", (n: number) => `${"a".repeat(70)}@`.repeat(n / 71)],
  ["host names", (n: number) => `a@${"b.".repeat(n / 2)}`],
  ["zeros", (n: number) => "0".repeat(n)],
  ["numbers", (n: number) => "0 ".repeat(n / 2)],
  ["plus signs", (n: number) => "+".repeat(n)],
  ["phone numbers", (n: number) => "0701234567, ".repeat(n / 12)],
  ["spaces", (n: number) => `${" ".repeat(n)}x`],
])("many %s take as many steps as there are characters", (_, repeated) => {
  const characters = vi.spyOn(String.prototype, "charAt")
  const addresses = vi.spyOn(globalThis, "URL")
  const steps = (text: string) => {
    characters.mockClear()
    addresses.mockClear()
    linkify(text)
    onlyEmoji(text)
    return characters.mock.calls.length + addresses.mock.calls.reduce((sum, [url]) => sum + String(url).length, 0)
  }
  expect(steps(repeated(60_000))).toBeLessThan(6 * 60_000)
})

test("a few emoji alone are large; with text, in large numbers or as digits they are not", () => {
  expect(["🥦", "👨‍👩‍👧‍👦 ❤️", "🇸🇪🇯🇵"].every(onlyEmoji)).toBe(true)
  expect(["", "ok 🥦", "7", "🥦".repeat(7), "🥦".repeat(30_000)].some(onlyEmoji)).toBe(false)
})
