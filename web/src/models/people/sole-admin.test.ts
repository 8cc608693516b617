import { expect, test } from "vitest"

import type { Member } from "../../api/types"
import { isReminderDue, isSoleAdmin } from "./sole-admin"

const members = (...roles: Member["role"][]) => roles.map((role) => ({ role }) as Member)

test("a family with one admin and another adult has a sole admin", () => {
  expect(isSoleAdmin(members("admin", "member", "child"))).toBe(true)
})

test("a second admin can help, and a child cannot become one", () => {
  expect(isSoleAdmin(members("admin", "admin", "member"))).toBe(false)
  expect(isSoleAdmin(members("admin", "child"))).toBe(false)
  expect(isSoleAdmin(members("admin"))).toBe(false)
  expect(isSoleAdmin([])).toBe(false)
})

test("a dismissed notice stays away for three months, unless the clock was ahead", () => {
  const day = 24 * 60 * 60 * 1_000
  const dismissed = 20_000 * day
  expect(isReminderDue(0, dismissed)).toBe(true)
  expect(isReminderDue(dismissed, dismissed)).toBe(false)
  expect(isReminderDue(dismissed, dismissed + 89 * day)).toBe(false)
  expect(isReminderDue(dismissed, dismissed + 90 * day)).toBe(true)
  expect(isReminderDue(dismissed, dismissed - day)).toBe(true)
})
