/** How far the others are in a conversation, and what that makes true of a message. */
import type { MessageStatus, Receipt } from "../api/types"
import { DEVICE_KINDS, type DeviceKind } from "./device-kind"

/** How far somebody is in a conversation. */
export interface Reach {
  readonly delivered: number
  readonly read: number
  /** How far that person's devices of a kind have received; of those that do not say what they are, nothing. */
  readonly on?: Readonly<Partial<Record<DeviceKind, number>>>
}

/** By person: a message has arrived when one of that person's devices has it. */
export type Receipts = ReadonlyMap<string, Reach>

/** Somebody who has a message, and on which kinds of devices; on none, if none says what it is. */
export interface Holder {
  readonly id: string
  readonly on: readonly DeviceKind[]
}

/** Where a message is, in the words of the contract with people; the interface puts them into their language. */
export type Whereabouts =
  | { readonly at: "device" }
  | { readonly at: "refused"; readonly reason: string }
  | { readonly at: "server" }
  | { readonly at: "delivered"; readonly to: readonly Holder[]; readonly all: boolean }
  | { readonly at: "read"; readonly by: readonly string[]; readonly all: boolean }

const NOWHERE: Reach = { delivered: 0, read: 0 }

/** Note what a device said. It only ever moves forward, and who has read a message has it. */
export function note(receipts: Receipts, { user_id, device_kind, status, seq }: MessageStatus): Receipts {
  const said = { device_kind, delivered_seq: seq, read_seq: status === "read" ? seq : 0 }
  return new Map(receipts).set(user_id, further(receipts.get(user_id), said))
}

/** What all devices said before this one came. */
export function gather(told: readonly Receipt[]): Receipts {
  const reach = new Map<string, Reach>()
  for (const receipt of told) reach.set(receipt.user_id, further(reach.get(receipt.user_id), receipt))
  return reach
}

/** The place up to which somebody has read. */
export function readUpTo(receipts: Receipts, userId: string): number {
  return (receipts.get(userId) ?? NOWHERE).read
}

/** Where a stored message is: as far as the furthest claim that somebody's device has made. */
export function whereabouts(receipts: Receipts, seq: number, others: readonly string[]): Whereabouts {
  const reached = (how: "read" | "delivered") => others.filter((id) => (receipts.get(id) ?? NOWHERE)[how] >= seq)
  const by = reached("read")
  if (by.length > 0) return { at: "read", by, all: by.length === others.length }
  const to = reached("delivered").map((id) => ({ id, on: kinds(receipts.get(id), seq) }))
  if (to.length > 0) return { at: "delivered", to, all: to.length === others.length }
  return { at: "server" }
}

/** How far a message has come to somebody. */
export interface Arrival extends Holder {
  readonly at: "read" | "delivered" | "server"
}

/** Where a stored message is, person by person. */
export function arrivals(receipts: Receipts, seq: number, others: readonly string[]): readonly Arrival[] {
  return others.map((id) => {
    const { read, delivered } = receipts.get(id) ?? NOWHERE
    const at = read >= seq ? "read" : delivered >= seq ? "delivered" : "server"
    return { id, at, on: kinds(receipts.get(id), seq) }
  })
}

function further(
  before: Reach = NOWHERE,
  { device_kind: kind, delivered_seq, read_seq }: Pick<Receipt, "device_kind" | "delivered_seq" | "read_seq">,
): Reach {
  const delivered = Math.max(before.delivered, delivered_seq)
  const read = Math.max(before.read, read_seq)
  const on = kind === null ? before.on : { ...before.on, [kind]: Math.max(before.on?.[kind] ?? 0, delivered_seq) }
  return { delivered, read, ...(on && { on }) }
}

function kinds(reach: Reach = NOWHERE, seq: number): readonly DeviceKind[] {
  return DEVICE_KINDS.filter((kind) => (reach.on?.[kind] ?? 0) >= seq)
}
