/** How far the others are in a conversation, and what that makes true of a message. */
import type { MessageStatus, Receipt, DeviceKind } from "../api/types"
import { DEVICE_KINDS } from "./device-kind"

/** How far somebody is in a conversation. */
export interface ReceiptPosition {
  readonly delivered: number
  readonly read: number
  /** How far that person's devices of a kind have received; of those that do not say what they are, nothing. */
  readonly on?: Readonly<Partial<Record<DeviceKind, number>>>
}

/** By person: a message has arrived when one of that person's devices has it. */
export type Receipts = ReadonlyMap<string, ReceiptPosition>

/** Somebody who has a message, and on which kinds of devices; on none, if none says what it is. */
export interface Recipient {
  readonly id: string
  readonly on: readonly DeviceKind[]
}

/** Where a message is, in the words of the contract with people; the interface puts them into their language. */
export type DeliveryStatus =
  | { readonly state: "device" }
  | { readonly state: "refused"; readonly reason: string }
  | { readonly state: "server" }
  | { readonly state: "delivered"; readonly to: readonly Recipient[]; readonly all: boolean }
  | { readonly state: "read"; readonly by: readonly string[]; readonly all: boolean }

const NOTHING_RECEIVED: ReceiptPosition = { delivered: 0, read: 0 }

/** Note what a device said. It only ever moves forward, and who has read a message has it. */
export function withStatus(receipts: Receipts, { user_id, device_kind, status, seq }: MessageStatus): Receipts {
  const position = { device_kind, delivered_seq: seq, read_seq: status === "read" ? seq : 0 }
  return new Map(receipts).set(user_id, advance(receipts.get(user_id), position))
}

/** What all devices said before this one came. */
export function fromReceipts(receipts: readonly Receipt[]): Receipts {
  const positions = new Map<string, ReceiptPosition>()
  for (const receipt of receipts) positions.set(receipt.user_id, advance(positions.get(receipt.user_id), receipt))
  return positions
}

/** The place up to which somebody has read. */
export function readUpTo(receipts: Receipts, userId: string): number {
  return (receipts.get(userId) ?? NOTHING_RECEIVED).read
}

/** Where a stored message is: as far as the furthest claim that somebody's device has made. */
export function deliveryStatus(receipts: Receipts, seq: number, others: readonly string[]): DeliveryStatus {
  const reachedBy = (how: "read" | "delivered") =>
    others.filter((id) => (receipts.get(id) ?? NOTHING_RECEIVED)[how] >= seq)
  const by = reachedBy("read")
  if (by.length > 0) return { state: "read", by, all: by.length === others.length }
  const to = reachedBy("delivered").map((id) => ({ id, on: kinds(receipts.get(id), seq) }))
  if (to.length > 0) return { state: "delivered", to, all: to.length === others.length }
  return { state: "server" }
}

/** Return `before` if both are the same status, so that what depends on the object is not updated. */
export function unlessChanged(before: DeliveryStatus | undefined, now: DeliveryStatus): DeliveryStatus {
  return before && JSON.stringify(before) === JSON.stringify(now) ? before : now
}

/** How far a message has come to somebody. */
export interface RecipientStatus extends Recipient {
  readonly state: "read" | "delivered" | "server"
}

/** Where a stored message is, person by person. */
export function recipientStatuses(
  receipts: Receipts,
  seq: number,
  others: readonly string[],
): readonly RecipientStatus[] {
  return others.map((id) => {
    const { read, delivered } = receipts.get(id) ?? NOTHING_RECEIVED
    const state = read >= seq ? "read" : delivered >= seq ? "delivered" : "server"
    return { id, state, on: kinds(receipts.get(id), seq) }
  })
}

function advance(
  before: ReceiptPosition = NOTHING_RECEIVED,
  { device_kind: kind, delivered_seq, read_seq }: Pick<Receipt, "device_kind" | "delivered_seq" | "read_seq">,
): ReceiptPosition {
  const delivered = Math.max(before.delivered, delivered_seq)
  const read = Math.max(before.read, read_seq)
  const on = kind === null ? before.on : { ...before.on, [kind]: Math.max(before.on?.[kind] ?? 0, delivered_seq) }
  return { delivered, read, ...(on && { on }) }
}

function kinds(position: ReceiptPosition = NOTHING_RECEIVED, seq: number): readonly DeviceKind[] {
  return DEVICE_KINDS.filter((kind) => (position.on?.[kind] ?? 0) >= seq)
}
