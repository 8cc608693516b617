/** Delivery and read positions of the other members, and the resulting status of a message. */
import type { DeviceStatus, Receipt, DeviceKind } from "../../api/types"
import { DEVICE_KINDS } from "../people/device-kind"

/** A member's positions in a conversation. */
export interface ReceiptPosition {
  readonly delivered: number
  readonly read: number
  /** Delivered position per device kind; devices without a known kind are not included. */
  readonly on?: Readonly<Partial<Record<DeviceKind, number>>>
}

/** By user id: a message is delivered to a user once one of their devices has it. */
export type Receipts = ReadonlyMap<string, ReceiptPosition>

/** A user who has received a message, and the kinds of devices that have it, as far as known. */
export interface Recipient {
  readonly id: string
  readonly on: readonly DeviceKind[]
}

/** A file of a message that cannot be sent. */
export interface RefusedFile {
  readonly name: string
  readonly reason: string
}

/** The status of a message; the interface translates it. */
export type DeliveryStatus =
  | { readonly state: "device" }
  | { readonly state: "refused"; readonly reason: string; readonly files?: readonly RefusedFile[] }
  | { readonly state: "server" }
  | { readonly state: "delivered"; readonly to: readonly Recipient[]; readonly all: boolean }
  | { readonly state: "read"; readonly by: readonly string[]; readonly all: boolean }

const NOTHING_RECEIVED: ReceiptPosition = { delivered: 0, read: 0 }

/** Applies a device's receipt. Positions only increase, and read implies delivered. */
export function withStatus(receipts: Receipts, { user_id, device_kind, status, seq }: DeviceStatus): Receipts {
  const position = { device_kind, delivered_seq: seq, read_seq: status === "read" ? seq : 0 }
  return new Map(receipts).set(user_id, advance(receipts.get(user_id), position))
}

/** Builds the positions from the receipts of the join reply. */
export function fromReceipts(receipts: readonly Receipt[]): Receipts {
  const positions = new Map<string, ReceiptPosition>()
  for (const receipt of receipts) positions.set(receipt.user_id, advance(positions.get(receipt.user_id), receipt))
  return positions
}

/** The position up to which a user has read. */
export function readUpTo(receipts: Receipts, userId: string): number {
  return (receipts.get(userId) ?? NOTHING_RECEIVED).read
}

/** The status of a stored message: the furthest that any recipient's device has reported. */
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

/** The status of a message for one recipient. */
export interface RecipientStatus extends Recipient {
  readonly state: "read" | "delivered" | "server"
}

/** The status of a stored message per recipient. */
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
