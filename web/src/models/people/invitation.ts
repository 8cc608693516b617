/** Invitation links, and whether other devices can open them. */

const THIS_COMPUTER = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * The link to share. The inviter's own address works in this network, so it is preferred, unless it is a loopback
 * address, which no other device can reach; then the server's address is used.
 */
export function invitationLink(here: Pick<URL, "hostname" | "origin">, token: string, url: string): string {
  return THIS_COMPUTER.test(here.hostname) ? url : `${here.origin}/invite#${token}`
}

/** Whether a link points to a loopback address. */
export function isLocalOnly(link: string): boolean {
  return THIS_COMPUTER.test(new URL(link).hostname)
}
