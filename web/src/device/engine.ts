/** Starts the engine of this device in a worker, when it is needed for the first time. */
import { connect, type RemoteEngine } from "../crypto/engine-port"
import engineUrl from "../crypto/engine.worker?worker&url"
import { trustedScriptUrl } from "./script-url"

const SCRIPT_URL = trustedScriptUrl("famichat-engine", engineUrl)

export interface StartedEngine extends RemoteEngine {
  /** Ends the worker. Its transactions are complete or undone. */
  terminate(): void
}

/** @param hasAccountKey see `DeviceEngine.open` */
export async function startEngine(userId: string, deviceId: string, hasAccountKey: boolean): Promise<StartedEngine> {
  const worker = new Worker(SCRIPT_URL, { name: "engine" })
  try {
    return { ...(await connect(worker, userId, deviceId, hasAccountKey)), terminate: () => worker.terminate() }
  } catch (error) {
    worker.terminate()
    throw error
  }
}
