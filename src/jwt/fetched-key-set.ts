import { shortenedMs } from '../domain/jitter.ts'
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
  /** Between two fetches at most; up to a quarter less, as the next one: processes that began together must not ask together. */
  readonly refreshMs: number
  /** After a first failure at most; doubled after each further one, up to `refreshMs`. */
  readonly retryMs: number
  /** Tokens with an unknown `kid` cause one fetch in so long, whether or not it succeeds. */
  readonly askedMs: number
  /** How long keys serve after the last successful fetch. */
  readonly serveMs: number
  /** Tokens wait for a fetch until it has taken twice what the last good one took, and so long at least and at most. */
  readonly patienceMsMin: number
  readonly patienceMsMax: number
}

export const usualPace: KeyPace = {
  refreshMs: limits.keyRefreshMsMax,
  retryMs: 1_000,
  askedMs: limits.keyFetchAskedMsMin,
  serveMs: limits.keySetMsMax,
  patienceMsMin: limits.keyPatienceMsMin,
  patienceMsMax: limits.keyPatienceMsMax,
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
  readonly controller: AbortController
  /** Over when it is, or takes longer than is worth waiting for. */
  readonly worthAwaiting: Promise<void>
  /** By a token, whose unknown key need not exist. */
  readonly isAsked: boolean
  /** No token waits for it any more. */
  isLate: boolean
}

const noKeys: readonly VerificationKey[] = Object.freeze([])

export function createFetchedKeySet(options: FetchedKeySetOptions): FetchedKeySet {
  const { place, pace, clock, report } = options
  let keys = noKeys
  let jwks: readonly PublicJwk[] = []
  let identity = ''
  let fetchedAt: number | null = null
  let startedAt: number | null = null
  let isFailing = false
  /** Fetches that failed since the last good one, without those by which tokens came before them. */
  let triesInVain = 0
  let patienceMs = pace.patienceMsMax
  /** When a token last caused a fetch. */
  let askedAt = Number.NEGATIVE_INFINITY
  let awaiting = 0
  let underway: Fetch | null = null
  /** Of the next fetch; undefined once it is due. */
  let timer: NodeJS.Timeout | undefined
  let reported = new Set<string>()

  function goodUntilMs(): number {
    return fetchedAt === null ? Number.NEGATIVE_INFINITY : fetchedAt + pace.serveMs
  }

  function fetch(isAsked: boolean): Fetch {
    const controller = new AbortController()
    const { promise: worthAwaiting, resolve: awaitNoLonger } = Promise.withResolvers<void>()
    const patience = setTimeout(() => {
      current.isLate = true
      awaitNoLonger()
    }, patienceMs).unref()
    const current: Fetch = { controller, worthAwaiting, isAsked, isLate: false }
    underway = current
    void fetchOnce(controller.signal).finally(() => {
      clearTimeout(patience)
      awaitNoLonger()
      finish(current)
    })
    return current
  }

  function finish(current: Fetch): void {
    if (underway !== current) return
    underway = null
    // Whoever makes up key ids causes one fetch in so long, and neither a repetition of it nor that the next one is later.
    if (isFailing && current.isAsked && timer !== undefined) return
    triesInVain = isFailing ? triesInVain + 1 : 0
    plan(isFailing ? backOffMs(pace, triesInVain) : pace.refreshMs)
  }

  function plan(waitMs: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => {
      timer = undefined
      if (underway === null) fetch(false)
    }, shortenedMs(waitMs)).unref()
  }

  async function fetchOnce(signal: AbortSignal): Promise<void> {
    const beganAt = performance.now()
    const failure = await takeKeys(signal).catch((error: Error) => error.message)
    // A set that was stopped meanwhile has no say in what is known, counted or told.
    if (signal.aborted) return
    if (failure === null) {
      if (isFailing) report({ event: 'recovered', place })
      isFailing = false
      patienceMs = patienceAfter(performance.now() - beganAt, pace)
    } else {
      if (!isFailing) report({ event: 'failing', place, reason: failure })
      isFailing = true
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
    if (underway?.isLate) return 'resting'
    if (underway === null) {
      const nowMs = clock()
      // A clock that was set back must not end the asking.
      const isLately = nowMs >= askedAt && nowMs - askedAt < pace.askedMs
      if (startedAt === null || isLately) return 'resting'
      askedAt = nowMs
    }
    if (awaiting >= limits.tokensAwaitingKeysMax) return 'busy'
    awaiting++
    return (underway ?? fetch(true)).worthAwaiting.finally(() => {
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
      timer = undefined
      underway?.controller.abort()
      underway = null
      startedAt = null
      isFailing = false
      triesInVain = 0
    },
    ageMs: () => Math.max(0, clock() - (fetchedAt ?? startedAt ?? clock())),
    saved() {
      if (fetchedAt === null || clock() >= goodUntilMs()) return null
      return { ...place, fetchedAt, keys: jwks }
    },
  }
}

function backOffMs({ retryMs, refreshMs }: KeyPace, triesInVain: number): number {
  return Math.min(refreshMs, retryMs * 2 ** (triesInVain - 1))
}

/** A server that takes twice as long as it took is as good as one that doesn't answer. */
function patienceAfter(tookMs: number, { patienceMsMin, patienceMsMax }: KeyPace): number {
  return Math.min(patienceMsMax, Math.max(patienceMsMin, 2 * tookMs))
}
