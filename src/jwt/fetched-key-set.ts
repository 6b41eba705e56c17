import { jitteredMs } from '../domain/jitter.ts'
import { limits } from '../domain/limits.ts'
import type { KeyRenewal, KeySet, VerificationKey } from '../domain/snapshot.ts'
import { importFetchedKeys, type LeftOutKey, type PublicJwk } from './fetched-jwks.ts'
import type { FetchKeys } from './key-fetch.ts'

/**
 * The live keys of one key server. Fetched when a snapshot needs them, then again and again in the background, so that
 * no request with a known key ever waits; what was fetched last goes on serving while the server is out of reach, for a
 * day at most.
 */

/** When keys are fetched; all in milliseconds. */
export interface KeyPace {
  /** Between two fetches, ±25 %. */
  readonly refreshMs: number
  /** After a first failure; doubled after each further one, up to `refreshMs`, all ±25 %. */
  readonly retryMs: number
  /** Tokens with an unknown `kid` cause one fetch in so long, whether or not it succeeds. */
  readonly askedMs: number
  /** How long keys serve after the last successful fetch. */
  readonly serveMs: number
}

export const usualPace: KeyPace = {
  refreshMs: 300_000,
  retryMs: 1_000,
  askedMs: limits.keyFetchAskedMsMin,
  serveMs: limits.keySetMsMax,
}

/** Whose keys they are: the same URL in two issuers is two key sets, since either may be taken away. */
export interface KeySetPlace {
  readonly tenantId: string
  readonly issuer: string
  readonly url: string
}

/** What outlives the process, so that the next one starts with keys while their server is down. */
export interface SavedKeySet extends KeySetPlace {
  /** Of the last successful fetch, in Unix milliseconds. */
  readonly fetchedAt: number
  /** Public JWKs of the keys that can be used. */
  readonly keys: readonly PublicJwk[]
}

export type KeyEvent =
  /** Fetching begins to fail. */
  | { readonly event: 'failing'; readonly place: KeySetPlace; readonly reason: string }
  /** It works again. */
  | { readonly event: 'recovered'; readonly place: KeySetPlace }
  /** A key that can't be used, reported once for as long as its server shows it. */
  | { readonly event: 'left-out'; readonly place: KeySetPlace; readonly key: LeftOutKey }

export interface FetchedKeySetOptions {
  readonly place: KeySetPlace
  readonly fetchKeys: FetchKeys
  readonly pace: KeyPace
  /** Unix time in milliseconds. */
  readonly clock: () => number
  readonly report: (event: KeyEvent) => void
  readonly onFetched: (outcome: 'ok' | 'failed') => void
}

export interface FetchedKeySet extends KeySet {
  readonly place: KeySetPlace
  /** Keys of an earlier process, before the first start. */
  restore(saved: SavedKeySet): Promise<void>
  /** Fetches at once and from then on; nothing where it has been started. */
  start(): void
  /** Ends a fetch under way, and all later ones, until it is started again. */
  stop(): void
  /** Since the last successful fetch, or since the start where none has succeeded; in milliseconds. */
  ageMs(): number
  /** Null where there are no keys, or no longer. */
  saved(): SavedKeySet | null
}

interface Fetch {
  readonly over: Promise<void>
  readonly controller: AbortController
  /** By a token, whose unknown key need not exist. */
  readonly isAsked: boolean
}

const noKeys: readonly VerificationKey[] = Object.freeze([])

export function createFetchedKeySet(options: FetchedKeySetOptions): FetchedKeySet {
  const { place, pace, clock, report } = options
  let keys = noKeys
  let jwks: readonly PublicJwk[] = []
  let identity = ''
  let fetchedAt: number | null = null
  let startedAt: number | null = null
  let failures = 0
  /** When a token last caused a fetch. */
  let askedAt = Number.NEGATIVE_INFINITY
  let awaiting = 0
  let underway: Fetch | null = null
  let timer: NodeJS.Timeout | undefined
  let reported = new Set<string>()

  function goodUntilMs(): number {
    return fetchedAt === null ? Number.NEGATIVE_INFINITY : fetchedAt + pace.serveMs
  }

  function fetch(isAsked: boolean): Fetch {
    clearTimeout(timer)
    const controller = new AbortController()
    const over = fetchOnce(controller.signal).finally(() => finish(current))
    const current: Fetch = { controller, over, isAsked }
    underway = current
    return current
  }

  function finish(current: Fetch): void {
    if (underway !== current) return
    underway = null
    const waitMs = failures === 0 ? pace.refreshMs : backOffMs(pace, failures)
    // Else whoever makes up key ids causes not one fetch in so long but one and its repetitions.
    const isPatient = current.isAsked && failures > 0 && clock() < goodUntilMs()
    const leastMs = isPatient ? pace.askedMs : 0
    timer = setTimeout(() => fetch(false), Math.max(leastMs, jitteredMs(waitMs))).unref()
  }

  async function fetchOnce(signal: AbortSignal): Promise<void> {
    const failure = await takeKeys(signal).catch((error: Error) => error.message)
    // A set that was stopped meanwhile has no say in what is known, counted or told.
    if (signal.aborted) return
    if (failure === null) {
      if (failures > 0) report({ event: 'recovered', place })
      failures = 0
    } else {
      if (failures === 0) report({ event: 'failing', place, reason: failure })
      failures++
    }
    options.onFetched(failure === null ? 'ok' : 'failed')
  }

  /** Answers why it failed, or null. */
  async function takeKeys(signal: AbortSignal): Promise<string | null> {
    const answer = await options.fetchKeys(place.url, signal)
    if ('failure' in answer) return answer.failure
    const fetched = await importFetchedKeys(answer.jwks, { keys, jwks })
    if (signal.aborted) return null
    reportLeftOut(fetched.leftOut)
    if (fetched.keys.length === 0) return 'the key set holds no key that can be used'
    fetchedAt = clock()
    if (fetched.identity !== identity) ({ keys, jwks, identity } = fetched)
    return null
  }

  function reportLeftOut(leftOut: readonly LeftOutKey[]): void {
    const found = new Map(leftOut.map((key) => [JSON.stringify(key), key]))
    for (const [text, key] of found) if (!reported.has(text)) report({ event: 'left-out', place, key })
    reported = new Set(found.keys())
  }

  function renew(): KeyRenewal {
    if (underway === null) {
      const nowMs = clock()
      // A clock that was set back must not end the asking.
      const isLately = nowMs >= askedAt && nowMs - askedAt < pace.askedMs
      if (startedAt === null || isLately) return 'resting'
      askedAt = nowMs
    }
    if (awaiting >= limits.tokensAwaitingKeysMax) return 'busy'
    awaiting++
    return (underway ?? fetch(true)).over.finally(() => {
      awaiting--
    })
  }

  return {
    place,
    get keys() {
      return keys
    },
    get goodUntilMs() {
      return goodUntilMs()
    },
    renew,
    async restore(saved) {
      const restored = await importFetchedKeys(saved.keys)
      if (restored.keys.length === 0 || fetchedAt !== null) return
      ;({ keys, jwks, identity } = restored)
      // What a clock that ran ahead has written must not serve for longer.
      fetchedAt = Math.min(saved.fetchedAt, clock())
    },
    start() {
      if (startedAt !== null) return
      startedAt = clock()
      fetch(false)
    },
    stop() {
      clearTimeout(timer)
      underway?.controller.abort()
      underway = null
      startedAt = null
      failures = 0
    },
    ageMs: () => Math.max(0, clock() - (fetchedAt ?? startedAt ?? clock())),
    saved() {
      if (fetchedAt === null || clock() >= goodUntilMs()) return null
      return { ...place, fetchedAt, keys: jwks }
    },
  }
}

function backOffMs({ retryMs, refreshMs }: KeyPace, failures: number): number {
  return Math.min(refreshMs, retryMs * 2 ** (failures - 1))
}
