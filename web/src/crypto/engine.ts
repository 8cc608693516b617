/** Starts the engine of this device in a worker, when it is needed for the first time. */
import { connect, type RemoteEngine } from "./engine-port"
import engineUrl from "./engine.worker?worker&url"
import { workerUrl } from "./worker-url"

/** @param hasAccountKey see `DeviceEngine.open` */
export function startEngine(userId: string, deviceId: string, hasAccountKey: boolean): Promise<RemoteEngine> {
  const worker = new Worker(workerUrl(engineUrl), { name: "engine" })
  return connect(worker, userId, deviceId, hasAccountKey)
}
