import { isIPv6 } from 'node:net'

/**
 * One URL says how Redis is reached, in every topology:
 *
 *     redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
 *     redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DATABASE]     the hosts are Sentinels
 *     redis+cluster://[USER:PASSWORD@]HOST[:PORT],…                        the hosts are some of its nodes
 *
 * and rediss, rediss+sentinel, rediss+cluster with TLS. WHATWG URLs know one host only, so they are read here.
 */
export interface RedisUrl {
  readonly topology: 'standalone' | 'sentinel' | 'cluster'
  readonly tls: boolean
  readonly username: string | null
  readonly password: string | null
  /** One where there is neither Sentinel nor Cluster. */
  readonly nodes: readonly RedisNode[]
  /** How the Sentinels call it; null elsewhere. */
  readonly masterName: string | null
  readonly database: number
}

interface RedisNode {
  /** A name, an IPv4 address or an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

export type ParsedRedisUrl =
  | { readonly url: RedisUrl; readonly problems: readonly [] }
  /** No problem quotes the text, which may hold a password where nobody looks for one. */
  | { readonly url: null; readonly problems: readonly string[] }

const shape =
  /^redis(?<tls>s?)(?:\+(?<topology>sentinel|cluster))?:\/\/(?:(?<login>[^\s/]*)@)?(?<hosts>[^\s/?#@]*)(?<path>[^\s?#]*)(?<rest>[^\s]*)$/

const expected =
  'must be redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT ' +
  '(rediss instead of redis for TLS), with user and password percent-encoded'

const encoded = 'must have user and password percent-encoded: % is %25, @ is %40, / is %2F'

export function parseRedisUrl(text: string): ParsedRedisUrl {
  const parts = shape.exec(text)?.groups
  if (parts === undefined) return { url: null, problems: [expected] }
  const topology = (parts['topology'] ?? 'standalone') as RedisUrl['topology']
  // The rest of a password that has a slash in it: what stands before it is no host, and would be called a bad one.
  if (/@/.test(`${parts['path']}${parts['rest']}`)) return { url: null, problems: [encoded] }
  const problems: string[] = []
  if (parts['rest'] !== '') problems.push('must end behind the hosts and their path: it takes no ? and no #')
  const login = parseLogin(parts['login'] ?? '', problems)
  const nodes = parseHosts(parts['hosts'] ?? '', topology, problems)
  const place = parsePath(parts['path'] ?? '', topology, problems)
  if (problems.length > 0) return { url: null, problems }
  return { url: { topology, tls: parts['tls'] === 's', nodes, ...login, ...place }, problems: [] }
}

/** For people: without the password. The text must be one that `parseRedisUrl` takes. */
export function shownRedisUrl(text: string): string {
  return text.replace(/^(\w+(?:\+\w+)?:\/\/[^/:]*):[^/]*@/, '$1:…@')
}

function parseLogin(text: string, problems: string[]): Pick<RedisUrl, 'username' | 'password'> {
  const colon = text.indexOf(':')
  const [username, password] = colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  try {
    return { username: decodeURIComponent(username) || null, password: decodeURIComponent(password) || null }
  } catch {
    problems.push(encoded)
    return { username: null, password: null }
  }
}

function parseHosts(text: string, topology: RedisUrl['topology'], problems: string[]): RedisNode[] {
  const hosts = text.split(',')
  if (topology === 'standalone' && hosts.length > 1)
    problems.push(
      'names several hosts, and redis:// has one: use redis+sentinel:// or redis+cluster:// for several',
    )
  const portDefault = topology === 'sentinel' ? 26_379 : 6_379
  return hosts.map((each, index) => {
    const { host = '', port = portDefault } = parseHost(each)
    const which = hosts.length === 1 ? 'its host' : `host ${index + 1} of ${hosts.length}`
    if (host === '')
      problems.push(`must have a name or an address as ${which}; an IPv6 address stands in brackets, [::1]`)
    if (!(Number(port) >= 1 && Number(port) <= 65_535))
      problems.push(`must have a port from 1 to 65535 at ${which}, or none for ${portDefault}`)
    return { host, port: Number(port) }
  })
}

/** The host is left out where it is none. */
function parseHost(text: string): { host?: string; port?: string | undefined } {
  const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([A-Za-z0-9._-]*))(?::([0-9]*))?$/.exec(text) ?? []
  if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port } : { port }
  return name === undefined ? {} : { host: name, port }
}

function parsePath(
  text: string,
  topology: RedisUrl['topology'],
  problems: string[],
): Pick<RedisUrl, 'masterName' | 'database'> {
  const parts = text.split('/').slice(1)
  const masterName = topology === 'sentinel' ? decodedName(parts.shift() ?? '') : null
  const [database = '', ...more] = parts
  if (masterName === '')
    problems.push(
      'must end in the name under which the Sentinels know the master, e.g. redis+sentinel://HOST:PORT/mymaster',
    )
  if (topology === 'cluster' && !/^0?$/.test(database))
    problems.push('must not name a database: in Redis Cluster there is only 0')
  else if (!/^[0-9]{0,5}$/.test(database) || more.length > 0)
    problems.push('must end in the number of a database, e.g. /1, or without one')
  return { masterName, database: Number(database) }
}

/** Empty where it can't be decoded. */
function decodedName(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
