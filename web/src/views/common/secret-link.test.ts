// @vitest-environment happy-dom
/** An invitation link is copied over plain HTTP, too, where browsers have no clipboard API. */
import { flushSync, mount, tick, unmount } from "svelte"
import { afterEach, beforeEach, expect, test, vi } from "vitest"

import { settle } from "../../testing/clock"
import SecretLink from "./SecretLink.svelte"

let mounted: object

beforeEach(() => {
  vi.stubGlobal("navigator", { languages: ["en"] })
  mounted = mount(SecretLink, {
    target: document.body,
    props: { link: "http://192.168.1.5:8000/invite#t0ken", label: "Code" },
  })
  flushSync()
})
afterEach(async () => {
  await unmount(mounted)
  vi.unstubAllGlobals()
})

async function copy(works: boolean): Promise<string | undefined> {
  const copied: string[] = []
  document.execCommand = () => {
    copied.push(document.querySelector("textarea")?.value ?? "")
    return works
  }
  document.querySelector("button")?.click()
  await settle()
  await tick()
  return copied[0]
}

test("the button copies the link", async () => {
  expect(await copy(true)).toBe("http://192.168.1.5:8000/invite#t0ken")
  expect(document.querySelector("button")?.textContent).toBe("Copied")
})

test("if the browser refuses, the link is selected", async () => {
  await copy(false)
  expect(document.querySelector("button")?.textContent).toBe("Copy link")
  expect(getSelection()?.toString()).toBe("http://192.168.1.5:8000/invite#t0ken")
})
