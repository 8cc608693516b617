/** Publishes the keys of this device, so that others can add it to encrypted conversations. */
import { ApiError } from "../api/http"
import type { RemoteEngine } from "../crypto/engine-port"
import type { GroupRequests } from "./group-requests"

const KEY_PACKAGES = 20
/** The server says so when fewer are left. */
const FEW = 10

/**
 * Publishes this device's keys; a repeat changes nothing. The first device of a user publishes the account key, too. A later
 * one is pending until another device certifies it.
 */
export async function registerDevice(
  engine: Pick<RemoteEngine, "publishedKeys" | "becomePending" | "learn">,
  userId: string,
  requests: GroupRequests,
): Promise<void> {
  const keys = await engine.publishedKeys()
  try {
    await requests.publishKeys(keys)
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "invalid_keys")) throw error
    // Without a certificate, the browser has lost the keys that this device published: it stays pending with new ones.
    if (keys.certificate) {
      // Another device created the account key in the meantime, unless the server is wrong.
      if (!(await engine.becomePending())) throw error
      return await registerDevice(engine, userId, requests)
    }
  }
  await engine.learn([await requests.user(userId)])
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
