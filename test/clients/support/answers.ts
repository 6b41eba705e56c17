/** What a client answered beside what it should have. */
import { isDeepStrictEqual } from 'node:util'
import type { ReadAs } from '../../support/golden-clients/entry.ts'

/** What one question should be answered with; null: that there is no default record. */
export interface Expected {
  readonly question: string
  readonly answer: ReadAs | null
  /** Which schema and body that is, for whoever must find it. */
  readonly of: string
}

/** Differences that a report shows; after the first few they say the same. */
const shownMax = 10

/** Every answer that isn't the expected one, in words; empty where all agree. */
export function differences(expected: readonly Expected[], answers: readonly string[]): string[] {
  const found: string[] = []
  for (const [index, { question, answer, of }] of expected.entries()) {
    const given = answers[index] ?? ''
    if (agrees(answer, given)) continue
    found.push(`${of}, asked ${question}:\n  should be ${textOf(answer)}\n  but it is ${given}`)
  }
  return found.length <= shownMax
    ? found
    : [...found.slice(0, shownMax), `… and ${found.length - shownMax} more`]
}

function agrees(expected: ReadAs | null, given: string): boolean {
  if (expected === null || 'error' in expected) return given === textOf(expected)
  try {
    // Only what `decode` gives as 0 may be 0: JSON.parse reads "-0" as another number.
    return isDeepStrictEqual(JSON.parse(given), expected.json)
  } catch {
    return false
  }
}

function textOf(answer: ReadAs | null): string {
  if (answer === null) return 'none'
  if ('json' in answer) return JSON.stringify(answer.json)
  const { code, field } = answer.error
  return field === '' ? `error ${code}` : `error ${code} ${field}`
}
