import { onTestFinished } from 'vitest'
import type { Snapshot, TrustedIssuer } from '../../src/domain/snapshot.ts'
import type { IssuerDocument } from '../../src/domain/tenant-document.ts'
import type { KeyEvent, KeyPace, SavedKeySet } from '../../src/jwt/fetched-key-set.ts'
import { createIssuers } from '../../src/jwt/issuer-keys.ts'
import { createKeyFetcher } from '../../src/jwt/key-fetch.ts'
import { createKeySets } from '../../src/jwt/key-sets.ts'
import type { KeyServer } from './key-server.ts'
import { snapshotWith, type TestKey } from './tokens.ts'

/** Issuers with keys by URL, as a gateway has them, with a clock that stands until it is moved; for one test. */
export interface KeyScene {
  readonly time: { ms: number }
  readonly events: KeyEvent[]
  readonly changes: () => number
  readonly keySets: ReturnType<typeof createKeySets>
  issuerFor(document: IssuerDocument, tenantId?: string): Promise<TrustedIssuer>
  /** What these issuers are served from; swaps to it. */
  swapTo(...issuers: readonly TrustedIssuer[]): Snapshot
}

/** Nothing is fetched again by itself in any test's lifetime, and tokens wait for what is fetched. */
const stillPace: KeyPace = {
  refreshMs: 100_000_000,
  retryMs: 100_000_000,
  askedMs: 30_000,
  serveMs: 86_400_000,
  patienceMsMin: 100_000,
  patienceMsMax: 100_000,
}

export function keyScene(
  server: Pick<KeyServer, 'authority'>,
  options: {
    pace?: Partial<KeyPace>
    restored?: readonly SavedKeySet[]
    timeoutMs?: number
    privateHosts?: readonly string[]
  } = {},
): KeyScene {
  const { pace = {}, restored = [], timeoutMs = 20_000, privateHosts = ['localhost'] } = options
  const time = { ms: 1_800_000_000_000 }
  const events: KeyEvent[] = []
  let changes = 0
  const keySets = createKeySets({
    fetchKeys: createKeyFetcher({ privateHosts, extraAuthorities: server.authority.pem, timeoutMs }),
    report: (event) => events.push(event),
    onKeysChanged: () => {
      changes++
    },
    pace: { ...stillPace, ...pace },
    clock: () => time.ms,
  })
  onTestFinished(keySets.close)
  keySets.restore(restored)
  const { issuerFor } = createIssuers({ resolveSecret: () => null, keySetFor: keySets.keySetFor })
  return {
    time,
    events,
    changes: () => changes,
    keySets,
    issuerFor: (document, tenantId = 'one') => issuerFor(tenantId, document),
    swapTo(...issuers) {
      const snapshot = snapshotWith(...issuers)
      keySets.follow(snapshot)
      return snapshot
    },
  }
}

/** A key as a process that ran before has kept it. */
export function savedJwk({ publicJwk }: TestKey): SavedKeySet['keys'][number] {
  return Object.fromEntries(Object.entries(publicJwk).map(([member, value]) => [member, String(value)]))
}
