/** The epoch keys that a device holds. */

/** The position of an MLS group. A new generation begins at epoch 0. */
export interface Epoch {
  readonly generation: number
  readonly epoch: number
}

export interface KeyringEntry {
  readonly key: Uint8Array
  /** The users who had a leaf in this epoch, or were displayed as participants when it began. Only they may receive it. */
  readonly members: readonly string[]
}

/** Returns the `key_id` of an envelope. */
export function keyId({ generation, epoch }: Epoch): string {
  return `${generation}:${epoch}`
}

/** Parses the `key_id` of an envelope; null if another protocol made it. */
export function parseKeyId(text: string): Epoch | null {
  const [generation, epoch, ...more] = text.split(":").map(Number)
  const parsed = { generation: generation ?? NaN, epoch: epoch ?? NaN }
  const isValid = more.length === 0 && Object.values(parsed).every(Number.isSafeInteger) && keyId(parsed) === text
  return isValid ? parsed : null
}

export function keyringEntry(key: Uint8Array, leaves: readonly { userId: string }[], participants: readonly string[]) {
  return { key, members: [...new Set([...leaves.map(({ userId }) => userId), ...participants])].sort() }
}

/** Whether an epoch is earlier than another of the same conversation. */
export function isBefore(one: Epoch, other: Epoch): boolean {
  return one.generation < other.generation || (one.generation === other.generation && one.epoch < other.epoch)
}

export function isSameEpoch(one: Epoch, other: Epoch): boolean {
  return one.generation === other.generation && one.epoch === other.epoch
}
