/** The link of an invitation: where it leads, and whether anybody else gets there. */

const THIS_COMPUTER = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * The link to hand on. Whoever invites came here by an address that works in this house; only if that is this computer's
 * own, which nobody else reaches, does the server know better.
 */
export function invitationLink(here: Pick<URL, "hostname" | "origin">, token: string, url: string): string {
  return THIS_COMPUTER.test(here.hostname) ? url : `${here.origin}/invite#${token}`
}

/** Whether a link leads nowhere but to the computer that it is opened on. */
export function isLocalOnly(link: string): boolean {
  return THIS_COMPUTER.test(new URL(link).hostname)
}
