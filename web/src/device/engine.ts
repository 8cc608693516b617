/** Starts the engine of this device in a worker, when it is needed for the first time. */
import { connect, type RemoteEngine } from "../crypto/engine-port"
import { Unreachable } from "../api/http"
import engineUrl from "../crypto/engine.worker?worker&url"
import { trustedScriptUrl } from "./script-url"

const SCRIPT_URL = trustedScriptUrl("famichat-engine", engineUrl)

export interface StartedEngine extends RemoteEngine {
  /** Ends the worker. Its transactions are complete or undone. */
  terminate(): void
}

/**
 * @param hasAccountKey see `DeviceEngine.open`
 * @throws {Unreachable} the script of the worker was not loaded
 */
export async function startEngine(userId: string, deviceId: string, hasAccountKey: boolean): Promise<StartedEngine> {
  const worker = new Worker(SCRIPT_URL, { name: "engine" })
  const failed = new Promise<never>((_, reject) => {
    worker.onerror = () => reject(new Unreachable("the engine"))
  })
  try {
    const engine = await Promise.race([connect(worker, userId, deviceId, hasAccountKey), failed])
    return { ...engine, terminate: () => worker.terminate() }
  } catch (error) {
    worker.terminate()
    throw error
  }
}
