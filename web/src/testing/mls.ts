/** Devices and MLS groups for tests. */
import {
  createKeyPackage,
  keyPackageFor,
  MlsGroup,
  type Commit,
  type IsTrusted,
  type OwnDevice,
  type OwnKeyPackage,
} from "../crypto/mls"
import { equalInConstantTime, randomBytes, signatureKeyPair } from "../crypto/suite"

/** A device of a user, with one key package. */
export interface TestDevice extends OwnDevice {
  readonly packages: readonly OwnKeyPackage[]
}

export async function testDevice(userId: string, deviceId = `${userId}-phone`): Promise<TestDevice> {
  const device = { userId, deviceId, signatureSeed: randomBytes(32) }
  return { ...device, packages: [await createKeyPackage(device)] }
}

/** Trusts the given devices with their present keys. */
export function trusting(devices: readonly OwnDevice[]): IsTrusted {
  return ({ userId, deviceId, signatureKey }) =>
    devices.some(
      (device) =>
        device.userId === userId &&
        device.deviceId === deviceId &&
        equalInConstantTime(signatureKeyPair(device.signatureSeed).publicKey, signatureKey),
    )
}

/** Creates an MLS group of several devices, in epoch 1. Returns the group of each. */
export async function groupOf(devices: readonly TestDevice[], isTrusted: IsTrusted): Promise<MlsGroup[]> {
  const [creator, ...others] = devices as readonly [TestDevice, ...TestDevice[]]
  const group = await MlsGroup.create(randomBytes(32), creator, isTrusted)
  const commit = await group.commit([], others.map(bodyOf))
  return [commit.next, ...(await Promise.all(others.map((device) => welcomed(commit, device, isTrusted))))]
}

export function bodyOf(device: TestDevice): Uint8Array {
  return (device.packages[0] as OwnKeyPackage).body
}

export function welcomed(commit: Commit, device: TestDevice, isTrusted: IsTrusted): Promise<MlsGroup> {
  if (!commit.welcome) throw new Error("the commit adds no device")
  return MlsGroup.join(commit.welcome, keyPackageFor(commit.welcome, device.packages), device, isTrusted)
}
