/** Publishes the keys of this device, so that others can add it to encrypted conversations. */
import { ApiError } from "../api/http"
import type { RemoteEngine } from "../crypto/engine-port"
import type { GroupRequests } from "./group-requests"

const KEY_PACKAGES = 20
/** The server says so when fewer are left. */
const FEW = 10

/**
 * Opens the engine and publishes this device's keys. The first device of a user creates the account key. A later one is
 * pending until another device certifies it.
 *
 * @param open starts the engine; told whether the user has an account key already
 */
export async function registerDevice<Engine extends Pick<RemoteEngine, "publishedKeys" | "becomePending" | "learn">>(
  userId: string,
  requests: GroupRequests,
  open: (hasAccountKey: boolean) => Promise<Engine>,
): Promise<Engine> {
  const listed = await requests.user(userId)
  const engine = await open(listed.accounts.length > 0)
  try {
    await requests.publishKeys(await engine.publishedKeys())
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "invalid_keys")) throw error
    // Another device created the account key in the meantime.
    await engine.becomePending()
    await requests.publishKeys(await engine.publishedKeys())
  }
  await engine.learn([await requests.user(userId)])
  return engine
}

/** Publishes new key packages if the server has few of this device: at each start, and when the server says so. */
export async function publishKeyPackages(
  engine: Pick<RemoteEngine, "createKeyPackages">,
  requests: GroupRequests,
): Promise<void> {
  if ((await requests.publishKeyPackages([], null)) >= FEW) return
  const { packages, lastResort } = await engine.createKeyPackages(KEY_PACKAGES)
  await requests.publishKeyPackages(packages, lastResort)
}
