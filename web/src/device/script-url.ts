/** The URLs of worker scripts. */

interface Policies {
  createPolicy(name: string, rules: Policy): Policy
}

interface Policy {
  createScriptURL(url: string): string
}

/**
 * The URL of a worker script as browsers with Trusted Types require it. They allow each `policy` of the
 * Content-Security-Policy to be created once; the policy then allows this one URL only.
 */
export function trustedScriptUrl(policy: string, url: string): string {
  const types = (globalThis as { trustedTypes?: Policies }).trustedTypes
  return types?.createPolicy(policy, { createScriptURL: () => url }).createScriptURL(url) ?? url
}
