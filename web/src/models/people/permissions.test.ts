import { expect, test } from "vitest"

import type { ConversationType, Role } from "../../api/types"
import { permissions, isLastAdmin } from "./permissions"
import { conversation } from "../fixtures"

const of = (type: ConversationType, roles: Record<string, Role>) =>
  conversation("kitchen", { type, members: Object.entries(roles).map(([user_id, role]) => ({ user_id, role })) })
const can = (type: ConversationType, roles: Record<string, Role>) =>
  Object.entries(permissions(of(type, roles), "maja")).flatMap(([what, may]) => (may ? [what] : []))

test("notes stay as they are, and a direct conversation can only be left", () => {
  expect(can("self", { maja: "member" })).toEqual([])
  expect(can("direct", { maja: "member", inga: "member" })).toEqual(["leave"])
})

test("a family conversation can be renamed by its admins, and no one can leave it", () => {
  expect(can("family", { maja: "admin", inga: "member" })).toEqual(["rename"])
  expect(can("family", { maja: "member", inga: "admin" })).toEqual([])
})

test("a group's members can leave, its admins do everything", () => {
  expect(can("group", { maja: "member", inga: "admin" })).toEqual(["leave"])
  expect(can("group", { maja: "admin", inga: "admin" })).toEqual([
    "rename",
    "addPeople",
    "removePeople",
    "changeRoles",
    "leave",
  ])
})

test("the last admin stays unless there is no other member", () => {
  expect(can("group", { maja: "admin", inga: "member" })).not.toContain("leave")
  expect(can("group", { maja: "admin" })).toContain("leave")
  expect(isLastAdmin(of("group", { maja: "admin", inga: "member" }), "inga")).toBe(false)
})
