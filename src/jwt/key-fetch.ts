import type { IncomingMessage } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { limits } from '../domain/limits.ts'
import { readJsonObject } from './json-object.ts'
import { isPublicAddress, literalAddress } from './key-address.ts'
import { asLookup, createHostLookup, type FindAddresses } from './key-host.ts'

/**
 * Asks a key server for its key set (RFC 7517 section 5), and believes it nothing: https only, no redirect, no proxy,
 * public addresses only, so many bytes, so many keys, and one time limit over all of it.
 */

export interface KeyFetcherOptions {
  /** Host names as they stand in URLs; these may have any address. */
  readonly privateHosts: readonly string[]
  /** Certificates in PEM, trusted beside those that Node trusts; null: no more than those. */
  readonly extraAuthorities: string | null
  /** Default `limits.keyFetchMsMax`. */
  readonly timeoutMs?: number
  /** Addresses of the DNS servers that know public hosts, such as `127.0.0.1:53`; default: those of the system. */
  readonly nameServers?: readonly string[]
}

/** The members of `keys`, unchecked, or why there are none: one short line that quotes nothing of the answer. */
type FetchedJwks = { readonly jwks: readonly unknown[] } | { readonly failure: string }

/** Never rejects. */
export type FetchKeys = (url: string, signal: AbortSignal) => Promise<FetchedJwks>

class FetchFailure extends Error {}

export function createKeyFetcher(options: KeyFetcherOptions): FetchKeys {
  const { timeoutMs = limits.keyFetchMsMax } = options
  const privateHosts = new Set(options.privateHosts.map((host) => new URL(`https://${host}`).hostname))
  const { nameServers } = options
  const hosts = createHostLookup({ timeoutMs, ...(nameServers === undefined ? {} : { nameServers }) })
  const findPublic = publicOnly(hosts.inDns)
  // Reading the system's authorities takes milliseconds, which only gateways with key servers need to spend.
  let secureContext: SecureContext | null = null

  return async function fetchKeys(text, signal) {
    const timeout = AbortSignal.timeout(timeoutMs)
    try {
      const url = checkedUrl(text)
      const isPrivate = privateHosts.has(url.hostname)
      if (!isPrivate) checkLiteralAddress(url)
      secureContext ??= trusting(options.extraAuthorities)
      const find = isPrivate ? hosts.inSystem : findPublic
      const ended = AbortSignal.any([timeout, signal])
      const response = await ask(url, {
        // One of its own: Node's shared agent may take a proxy from the environment, and keeps connections. Neither
        // may the environment say that any certificate will do (NODE_TLS_REJECT_UNAUTHORIZED).
        agent: new Agent({ keepAlive: false, secureContext, rejectUnauthorized: true }),
        signal: ended,
        lookup: asLookup((hostname) => find(hostname, ended)),
      })
      return { jwks: keysOf(await readBody(response)) }
    } catch (error) {
      return { failure: timeout.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error) }
    }
  }
}

function trusting(extraAuthorities: string | null): SecureContext {
  if (extraAuthorities === null) return createSecureContext()
  return createSecureContext({ ca: [...getCACertificates('default'), extraAuthorities] })
}

/** Documents have been checked; this is the place where it matters. */
function checkedUrl(text: string): URL {
  const url = new URL(text)
  if (url.protocol !== 'https:') throw new FetchFailure('the URL is not https')
  if (url.username !== '' || url.password !== '') throw new FetchFailure('the URL has a user or a password')
  return url
}

/** Node looks up names only: an address in the URL never meets `publicOnly`. */
function checkLiteralAddress({ hostname }: URL): void {
  const address = literalAddress(hostname)
  if (address !== null && !isPublicAddress(address)) throw notPublic()
}

/**
 * What a socket connects to is what was checked here, so that a name can't have one address for the check and another
 * for the connection (DNS rebinding).
 */
function publicOnly(find: FindAddresses): FindAddresses {
  return async (hostname, signal) => {
    // Never a public host, and for no DNS server to decide (RFC 6761 section 6.3).
    if (/(^|\.)localhost\.?$/.test(hostname)) throw notPublic()
    const usable = (await find(hostname, signal)).filter(({ address }) => isPublicAddress(address))
    if (usable.length === 0) throw notPublic()
    return usable
  }
}

function notPublic(): Error {
  return new FetchFailure('its host has no public address; the setting jwksPrivateHosts can allow it')
}

/** Resolves when the answer's head is there. */
function ask(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        ...options,
        headers: { Accept: 'application/jwk-set+json, application/json', 'User-Agent': 'recgate' },
      },
      (response) => {
        const { statusCode = 0 } = response
        if (statusCode === 200) return resolve(response)
        response.destroy()
        const isRedirect = statusCode >= 300 && statusCode < 400
        const advice = isRedirect ? ', a redirect, which is not followed; give the URL that it leads to' : ''
        reject(new FetchFailure(`the key server answers ${statusCode}${advice}`))
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}

async function readBody(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    // Leaving the loop destroys the response, and the connection with it.
    if (bytes > limits.keySetBytesMax)
      throw new FetchFailure(`the key set is larger than ${limits.keySetBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function keysOf(body: Uint8Array): readonly unknown[] {
  // The parser's own message would quote what the server sent.
  const keys = readJsonObject(body)?.['keys']
  if (!Array.isArray(keys)) throw new FetchFailure('the answer is not a JSON object with a list "keys"')
  if (keys.length > limits.keysPerIssuerMax)
    throw new FetchFailure(
      `the key set holds ${keys.length} keys; at most ${limits.keysPerIssuerMax} are read`,
    )
  return keys
}

/** Codes of the system and of TLS say what to look for. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof FetchFailure || code === undefined) return message
  return `${message.slice(0, limits.keyFetchReasonCharactersMax)} (${code})`
}
