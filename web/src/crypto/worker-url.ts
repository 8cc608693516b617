/** The Trusted Types policy for URLs of workers. A second policy of the same name is refused, so all workers share it. */

interface Policy {
  createScriptURL(scriptUrl: string): string
}

let policy: Policy | undefined

/** Returns a URL of a worker as `Worker` and `register` accept it. Only scripts of this server are allowed. */
export function workerUrl(url: string): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes
  policy ??= types?.createPolicy("famichat-worker", { createScriptURL: ownScript })
  return policy?.createScriptURL(url) ?? url
}

function ownScript(url: string): string {
  if (!/^\/(worker|assets\/engine\.worker-[\w-]+)\.js$/.test(url)) throw new TypeError("not a worker of Famichat")
  return url
}
