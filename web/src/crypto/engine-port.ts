/** How a page calls the engine in its worker. */
import type { DeviceEngine } from "./device-engine"

/** The methods of `DeviceEngine`, which are all asynchronous. */
const METHODS = [
  "publishedKeys",
  "becomePending",
  "createKeyPackages",
  "learn",
  "position",
  "pendingEpoch",
  "catchUp",
  "join",
  "prepareJoin",
  "prepareCreation",
  "prepareCommit",
  "drop",
  "canEncrypt",
  "encrypt",
  "decrypt",
  "close",
] as const satisfies readonly (keyof DeviceEngine)[]

type Method = (typeof METHODS)[number]
export type RemoteEngine = Pick<DeviceEngine, Method>

type OpenArguments = Parameters<typeof DeviceEngine.open>

type Call = { readonly id: number; readonly method: Method | "open"; readonly args: readonly unknown[] }
type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string }

/** One end of a connection: a worker, or the scope of one. */
export interface Port {
  postMessage(message: unknown): void
  onmessage: ((event: MessageEvent) => void) | null
}

/** Opens the engine behind a port. Only one engine can be opened per port. */
export async function connect(port: Port, ...args: OpenArguments): Promise<RemoteEngine> {
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  let last = 0
  port.onmessage = ({ data }: MessageEvent<Reply>) => {
    const call = waiting.get(data.id)
    waiting.delete(data.id)
    if ("error" in data) call?.reject(new Error(data.error))
    else call?.resolve(data.result)
  }
  const call = (method: Method | "open", args: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      last += 1
      waiting.set(last, { resolve, reject })
      port.postMessage({ id: last, method, args } satisfies Call)
    })
  await call("open", args)
  const remote = METHODS.map((method) => [method, (...args: unknown[]) => call(method, args)])
  return Object.fromEntries(remote) as RemoteEngine
}

/** Answers the calls of a page. */
export function serve(port: Port, open: (...args: OpenArguments) => Promise<RemoteEngine>): void {
  let engine: Promise<RemoteEngine> | undefined
  port.onmessage = async ({ data: { id, method, args } }: MessageEvent<Call>) => {
    try {
      const result =
        method === "open" ? await (engine = open(...(args as OpenArguments))).then(() => null) : await run()
      port.postMessage({ id, result } satisfies Reply)
    } catch (error) {
      port.postMessage({ id, error: error instanceof Error ? error.message : "unknown" } satisfies Reply)
    }

    async function run() {
      const opened = await engine
      if (!opened || method === "open") throw new Error("the engine is not open")
      return await (opened[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
    }
  }
}
