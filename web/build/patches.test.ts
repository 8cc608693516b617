import { readFileSync } from "node:fs"

import { expect, test } from "vitest"

import { applied, TS_MLS } from "./patches"

const [patch] = TS_MLS as [(typeof TS_MLS)[number]]
const original = readFileSync(`node_modules/${patch.file}`, "utf8")

test("the patches fit the installed version", () => {
  for (const patch of TS_MLS) applied(patch, readFileSync(`node_modules/${patch.file}`, "utf8"))
})

test("a library that changed is refused", () => {
  expect(() => applied(patch, original.replaceAll("arraysEqual", "equal"))).toThrow("not exactly once")
  expect(() => applied(patch, `${original}\n`)).toThrow("has the sha256")
})
