/** The worker in which all cryptography runs, so that pages do not stutter. */
import { DeviceEngine } from "./device-engine"
import { serve, type Port } from "./engine-port"

serve(globalThis as unknown as Port, (...args) => DeviceEngine.open(...args))
