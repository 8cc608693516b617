import { expect, test } from "vitest"

import { NEWER, parse, serialize } from "./content"
import { utf8ToBytes } from "./suite"

const ID = "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f30"
const parsed = (json: string, kind: "message" | "edit" = "message") => parse(kind, utf8ToBytes(json))

test("a message and an edit survive", () => {
  const message = { text: "Mörsil klockan sex? 🎻", reply_to: ID }
  expect(parse("message", serialize(message))).toEqual(message)
  expect(parse("edit", serialize({ text: "", at: 1 }))).toEqual({ text: "", at: 1 })
})

test("a text that JSON and databases reject is repaired before it is encrypted, because nothing can repair it later", () => {
  expect(parse("edit", serialize({ text: "half \ud83d of\0 it", at: 1 }))).toEqual({ text: "half \ufffd of it", at: 1 })
})

test("unknown fields are ignored, and a newer version is recognized", () => {
  expect(parsed('{"v":1,"text":"a","mood":"glad","__proto__":{"at":1}}')).toEqual({ text: "a" })
  expect(parsed('{"v":2,"poem":true}')).toBe(NEWER)
})

test.each([
  "",
  "null",
  "[]",
  '"text"',
  "{}",
  '{"text":"a"}',
  '{"v":0,"text":"a"}',
  '{"v":1.5,"text":"a"}',
  '{"v":"1","text":"a"}',
  '{"v":1}',
  '{"v":1,"text":null}',
  '{"v":1,"text":"\\ud83c"}',
  '{"v":1,"text":"\\u0000"}',
  '{"v":1,"text":"a","reply_to":"A"}',
  '{"v":1,"text":"a","at":-1}',
  '{"v":1,"text":"a"} ,',
])("%s is refused", (json) => {
  expect(() => parsed(json)).toThrow()
})

test("an edit without a time, other encodings and too large a content are refused", () => {
  expect(() => parsed('{"v":1,"text":"a"}', "edit")).toThrow("time")
  expect(() => parse("message", Uint8Array.of(...utf8ToBytes('{"v":1,"text":"'), 0xff))).toThrow()
  expect(() => serialize({ text: "x".repeat(44_000) })).toThrow("too large")
  expect(() => parsed(`{"v":1,"text":"${"x".repeat(44_000)}"}`)).toThrow("too large")
})
