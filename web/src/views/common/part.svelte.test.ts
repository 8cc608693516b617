// @vitest-environment happy-dom
import { flushSync, mount, tick, unmount } from "svelte"
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

test("a change of one property does not run the effects of the others again", async () => {
  const seen: string[] = []
  const View = (_anchor: unknown, props: { query: string; focus: number }) => {
    $effect(() => void seen.push(`query ${props.query}`))
    $effect(() => void seen.push(`focus ${props.focus}`))
  }
  const state = $state({ query: "f", focus: 1 })
  const props = {
    load: async () => ({ default: View as never }),
    get properties() {
      return { query: state.query, focus: state.focus }
    },
  }
  const part = mount(Part, { target: document.body, props })
  await settle()
  await tick()
  state.query = "fe"
  flushSync()
  expect(seen).toEqual(["query f", "focus 1", "query fe"])
  await unmount(part)
})
