import type { Answer } from './http-connection.ts'

/**
 * Reads every answer. A record names its player, its version's number and the edition that it was published with, so
 * that another player's record, and one of a generation that isn't active, are seen for what they are.
 */

/** The model's versions, in the order of their numbers in records; the first is control. */
export const versions = ['popular', 'itemcf'] as const
export type Version = (typeof versions)[number]

/** Editions that may be answered now, by version. */
export interface Editions {
  /** By a read: two while the gateway may have heard of a change, or not. */
  readonly active: Readonly<Record<Version, readonly number[]>>
  /** By a copy that is kept: never one that was rolled back. */
  readonly kept: Readonly<Record<Version, readonly number[]>>
}

interface Body {
  readonly version: Version
  readonly reason: string
  readonly recommendation: { readonly player: number; readonly edition: number; readonly arm: number }
}

/** `200 split` and such where all is well, `503 busy` for a refusal, `WRONG …` for an answer that must never be. */
export function outcomeOf(answer: Answer, player: number, editions: Editions): string {
  const body = parsed(answer.body)
  if (body === null) return `WRONG body of ${answer.status}`
  if (answer.status !== 200) return `${answer.status} ${(body as { code?: string }).code ?? 'without a code'}`
  const told = /\r\nRecgate: v=([^,]+), r=(\w+)\r\n/i.exec(answer.head)
  const { version, reason, recommendation: record } = body as Body
  if (told?.[1] !== version || told[2] !== reason) return 'WRONG head'
  return wrongIn(record, player, version, reason, editions) ?? `200 ${reason}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function wrongIn(
  { player, edition, arm }: Body['recommendation'],
  asked: number,
  assigned: Version,
  reason: string,
  { active, kept }: Editions,
): string | null {
  if (reason === 'default') return player === 0 && edition === 0 ? null : 'WRONG default'
  if (player !== asked) return 'WRONG player'
  const of = versions[arm]
  const isAllowed =
    reason === 'sibling'
      ? of === versions[0]
      : reason === 'stale'
        ? of === assigned || of === versions[0]
        : of === assigned
  if (of === undefined || !isAllowed) return `WRONG version for ${reason}`
  const allowed = (reason === 'stale' ? kept : active)[of]
  return allowed.includes(edition) ? null : `WRONG generation for ${reason}`
}
