import { expect, test } from "vitest"

import { invitationLink, isLocalOnly } from "./invitation"

const link = "https://chat.example.org/invite#abc"

test("a link leads to where its sender is", () => {
  expect(invitationLink(new URL("http://192.168.1.7:4000/#/c/1"), "abc", link)).toBe(
    "http://192.168.1.7:4000/invite#abc",
  )
})

test("from the server's own computer it leads to where the server is for others", () => {
  for (const here of ["http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000"]) {
    expect(invitationLink(new URL(here), "abc", link)).toBe(link)
  }
})

test("a link that only this machine can open is recognized", () => {
  expect(["http://localhost/invite#abc", "http://127.0.0.1:4000/invite#abc", link].map(isLocalOnly)).toEqual([
    true,
    true,
    false,
  ])
})
