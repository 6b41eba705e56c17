import ipaddr from 'ipaddr.js'

/**
 * Which addresses a key server may have. A tenant's document names its URL, and the gateway asks it from inside: without
 * this, whoever writes a document could make it ask the cloud's metadata service (169.254.169.254), a neighbour behind
 * the firewall or the gateway's own planes (server-side request forgery, OWASP).
 */

/** All that IANA has given out for use between networks; the rest of IPv6 has no public use. */
const globalUnicast = ipaddr.IPv6.parse('2000::')
const globalUnicastBits = 3

/** Public by its range, but inside every virtual network of Azure it is the platform itself: metadata, DNS, health. */
const azurePlatform = '168.63.129.16'

/**
 * Whether everybody may reach it: neither private (RFC 1918, RFC 4193), loopback, link-local, shared (RFC 6598),
 * multicast or reserved, nor an IPv6 address that a translator or tunnel turns into some IPv4 one (RFC 6052, RFC 3056,
 * RFC 4380), nor a cloud's own. An IPv4-mapped one is judged as the IPv4 address that the system connects to.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false
  const address = ipaddr.process(text)
  if (address instanceof ipaddr.IPv6 && !address.match(globalUnicast, globalUnicastBits)) return false
  return address.range() === 'unicast' && address.toString() !== azurePlatform
}

/** The address that a URL's host name is, without brackets; null where it has to be looked up. */
export function literalAddress(hostname: string): string | null {
  const text = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return ipaddr.isValid(text) ? text : null
}
