/** Whether a family depends on one admin for forgotten passwords. */
import type { Member } from "../../api/types"

/** Returns whether exactly one of several adults is an admin: then no second person can help. */
export function isSoleAdmin(members: readonly Member[]): boolean {
  const adults = members.filter(({ role }) => role !== "child")
  return adults.length > 1 && adults.filter(({ role }) => role === "admin").length === 1
}

/** How long a dismissed notice about it stays away. */
const REST_MS = 90 * 24 * 60 * 60 * 1_000

/**
 * Returns whether to show the notice about it.
 *
 * @param dismissedAt when the user dismissed it, in ms; 0 if never
 * @param now the present time, in ms
 */
export function isReminderDue(dismissedAt: number, now: number): boolean {
  return now < dismissedAt || now >= dismissedAt + REST_MS
}
