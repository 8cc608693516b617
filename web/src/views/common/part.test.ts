// @vitest-environment happy-dom
import { mount, tick, unmount } from "svelte"
import { expect, test } from "vitest"

import { settle } from "../../testing/clock"
import Notice from "./Notice.svelte"
import Part from "./Part.svelte"

async function shown(load: () => Promise<{ default: typeof Notice }>): Promise<string> {
  const properties = { role: "status", text: "Loaded", button: "Close", press: () => undefined } as const
  const part = mount(Part, { target: document.body, props: { load: load as never, properties } })
  await settle()
  await tick()
  const text = document.body.textContent ?? ""
  await unmount(part)
  return text
}

test("a part is shown once it is loaded, and a part that cannot be loaded says what to do", async () => {
  expect(await shown(async () => ({ default: Notice }))).toContain("Loaded")
  expect(await shown(() => Promise.reject(new TypeError("Failed to fetch")))).toContain(
    "This part couldn't be loaded. Check your connection, then reload.",
  )
})
