/** How far the others are in a conversation, and what that makes true of a message. */
import type { MessageStatus, Receipt } from "../realtime/shapes"

/** How far somebody is in a conversation. */
export interface Reach {
  readonly delivered: number
  readonly read: number
}

/** By person: a message has arrived when one of that person's devices has it. */
export type Receipts = ReadonlyMap<string, Reach>

/** Where a message is, in the words of the contract with people; the interface puts them into their language. */
export type Whereabouts =
  | { readonly at: "device" }
  | { readonly at: "refused"; readonly reason: string }
  | { readonly at: "server" }
  | { readonly at: "delivered"; readonly to: readonly string[]; readonly all: boolean }
  | { readonly at: "read"; readonly by: readonly string[]; readonly all: boolean }

const NOWHERE: Reach = { delivered: 0, read: 0 }

/** Note what a device said. It only ever moves forward, and who has read a message has it. */
export function note(receipts: Receipts, status: MessageStatus): Receipts {
  const before = receipts.get(status.user_id) ?? NOWHERE
  const after = {
    delivered: Math.max(before.delivered, status.seq),
    read: status.status === "read" ? Math.max(before.read, status.seq) : before.read,
  }
  return new Map(receipts).set(status.user_id, after)
}

/** What all devices said before this one came. */
export function gather(told: readonly Receipt[]): Receipts {
  const reach = new Map<string, Reach>()
  for (const { user_id, delivered_seq, read_seq } of told) {
    const before = reach.get(user_id) ?? NOWHERE
    const delivered = Math.max(before.delivered, delivered_seq)
    reach.set(user_id, { delivered, read: Math.max(before.read, read_seq) })
  }
  return reach
}

/** The place up to which somebody has read. */
export function readUpTo(receipts: Receipts, userId: string): number {
  return (receipts.get(userId) ?? NOWHERE).read
}

/** Where a stored message is: as far as the furthest claim that somebody's device has made. */
export function whereabouts(receipts: Receipts, seq: number, others: readonly string[]): Whereabouts {
  const reached = (how: keyof Reach) => others.filter((id) => (receipts.get(id) ?? NOWHERE)[how] >= seq)
  const by = reached("read")
  if (by.length > 0) return { at: "read", by, all: by.length === others.length }
  const to = reached("delivered")
  if (to.length > 0) return { at: "delivered", to, all: to.length === others.length }
  return { at: "server" }
}

/** How far a message has come to somebody. */
export type Arrival = "read" | "delivered" | "server"

/** Where a stored message is, person by person. */
export function arrivals(receipts: Receipts, seq: number, others: readonly string[]): ReadonlyMap<string, Arrival> {
  return new Map(
    others.map((id) => {
      const { read, delivered } = receipts.get(id) ?? NOWHERE
      return [id, read >= seq ? "read" : delivered >= seq ? "delivered" : "server"]
    }),
  )
}
