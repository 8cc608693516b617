/**
 * Whose keys a device trusts. The account key of a user certifies the keys of each of the user's devices. A client pins
 * the account key that it saw first, so the server cannot add a ghost device.
 */
import { certificateInput, type AccountKeys, type DeviceKeys } from "./derivations"
import { equalInConstantTime, sign, verify } from "./suite"

interface AccountVersion {
  readonly version: number
  readonly publicKey: Uint8Array
}

/** A device as the server lists it. A pending device has no certificate. */
export interface ListedDevice extends DeviceKeys {
  readonly certificate: Uint8Array | null
  readonly accountVersion: number
}

/** What the server says about the keys of a user: all account keys and devices, including those signed out. */
export interface ListedUser {
  readonly userId: string
  readonly accounts: readonly AccountVersion[]
  readonly devices: readonly ListedDevice[]
}

/** A user's pinned account key, and the devices it certified. */
export interface PinnedAccount extends AccountVersion {
  readonly userId: string
  readonly devices: readonly DeviceKeys[]
}

export function certify(account: AccountKeys, version: number, device: DeviceKeys): Uint8Array {
  return sign(account.signature.privateKey, certificateInput(device, version))
}

/**
 * Pins the account key of a user at the first contact. Later only the pinned key counts: what the server lists under
 * another key is not trusted. A device that was certified once stays trusted, for its messages remain.
 *
 * @returns null if the user has no account key yet
 */
export function pinned(known: PinnedAccount | undefined, listed: ListedUser): PinnedAccount | null {
  const account = known ?? newest(listed.accounts)
  if (!account) return null
  const { version, publicKey } = account
  const certified = listed.devices.filter((device) => device.userId === listed.userId && isCertified(account, device))
  const devices = new Map((known?.devices ?? []).map((device) => [device.deviceId, device]))
  for (const { userId, deviceId, signatureKey, hpkeKey } of certified) {
    devices.set(deviceId, { userId, deviceId, signatureKey, hpkeKey })
  }
  return { userId: listed.userId, version, publicKey, devices: [...devices.values()] }
}

/** Whether the server lists another account key than the pinned one as the newest, as after an account reset. */
export function isReplaced(known: PinnedAccount, { accounts }: ListedUser): boolean {
  const current = newest(accounts)
  return !current || !equalInConstantTime(current.publicKey, known.publicKey)
}

/** Whether this is the key of a device that its user's pinned account key certified. */
export function isTrusted(
  account: PinnedAccount | undefined,
  { deviceId, signatureKey }: Pick<DeviceKeys, "deviceId" | "signatureKey">,
): boolean {
  const device = account?.devices.find((candidate) => candidate.deviceId === deviceId)
  return device !== undefined && equalInConstantTime(device.signatureKey, signatureKey)
}

function isCertified(account: AccountVersion, device: ListedDevice): boolean {
  const { certificate, accountVersion } = device
  if (certificate === null || accountVersion !== account.version) return false
  return verify(account.publicKey, certificateInput(device, accountVersion), certificate)
}

function newest(accounts: readonly AccountVersion[]): AccountVersion | undefined {
  return [...accounts].sort((one, other) => other.version - one.version)[0]
}
