import { goodClaims, signToken, type TestKey } from './tokens.ts'

/** A studio that recommends one game to each player, and what a gateway recommends. */

/** `popular` is the weight of the version of that name in percent; the others have `itemcf`. */
export function oneGameDocument(tenant: string, key: TestKey, popular = 0) {
  return {
    format: 1,
    tenant,
    issuers: [{ issuer: issuerOf(tenant), audience: 'recgate', jwks: { keys: [key.publicJwk] } }],
    models: {
      games: {
        key: [{ claim: 'sub' }],
        record: { game: { type: 'uint', max: 255 } },
        default: { game: 0 },
        versions: ['itemcf', 'popular'],
        control: 'popular',
        weights: { itemcf: 100 - popular, popular },
        // Nothing here measures time; a busy machine must not turn a row into the default record.
        deadlineMs: 10_000,
      },
    },
  }
}

export function playerToken(tenant: string, key: TestKey, player: string): Promise<string> {
  return signToken(key, goodClaims(issuerOf(tenant), { model: 'games', sub: player }))
}

/** As `200 itemcf split 7`: status, version, reason and game. */
export async function gameFor(token: string, data: string): Promise<string> {
  const headers = { Authorization: `Bearer ${token}` }
  const response = await fetch(`${data}/recommendations`, { headers })
  const { version, reason, recommendation } = (await response.json()) as {
    version: string
    reason: string
    recommendation?: { game: number }
  }
  return `${response.status} ${version} ${reason} ${recommendation?.game}`
}

function issuerOf(tenant: string): string {
  return `https://${tenant}.example`
}
