import { expect, test } from 'vitest'
import { type Editions, outcomeOf } from './check-answer.ts'

/** The checker that reads every answer of the fault suite must see what is wrong with one. */

const editions: Editions = {
  active: { popular: [3], itemcf: [4, 6] },
  kept: { popular: [1, 3], itemcf: [4, 6] },
}

function outcome(
  version: string,
  reason: string,
  record: readonly [player: number, edition: number, arm: number],
  head = `HTTP/1.1 200 OK\r\nRecgate: v=${version}, r=${reason}\r\n`,
): string {
  const [player, edition, arm] = record
  const body = JSON.stringify({ model: 'games', version, reason, recommendation: { player, edition, arm } })
  return outcomeOf({ status: 200, head, body }, 7, editions)
}

test.each([
  ['its own row', outcome('itemcf', 'split', [7, 4, 1]), '200 split'],
  ['its row of the newer generation', outcome('itemcf', 'split', [7, 6, 1]), '200 split'],
  ['control’s row', outcome('itemcf', 'sibling', [7, 3, 0]), '200 sibling'],
  ['a kept copy of the generation before', outcome('popular', 'stale', [7, 1, 0]), '200 stale'],
  ['control’s kept copy', outcome('itemcf', 'stale', [7, 3, 0]), '200 stale'],
  ['the default', outcome('itemcf', 'default', [0, 0, 0]), '200 default'],
  ['another player’s row', outcome('itemcf', 'split', [8, 4, 1]), 'WRONG player'],
  ['another player’s kept copy', outcome('itemcf', 'stale', [8, 4, 1]), 'WRONG player'],
  ['a row that calls itself the default', outcome('itemcf', 'default', [7, 4, 1]), 'WRONG default'],
  ['a generation that was taken back', outcome('itemcf', 'split', [7, 5, 1]), 'WRONG generation for split'],
  ['a copy of such a one', outcome('itemcf', 'stale', [7, 5, 1]), 'WRONG generation for stale'],
  [
    'the generation before, as if it were read',
    outcome('popular', 'split', [7, 1, 0]),
    'WRONG generation for split',
  ],
  ['another version’s row', outcome('popular', 'split', [7, 4, 1]), 'WRONG version for split'],
  ['its own row as a sibling', outcome('itemcf', 'sibling', [7, 4, 1]), 'WRONG version for sibling'],
  [
    'a head that says another reason',
    outcome('itemcf', 'split', [7, 4, 1], 'HTTP/1.1 200 OK\r\nRecgate: v=itemcf, r=stale\r\n'),
    'WRONG head',
  ],
  ['no head', outcome('itemcf', 'split', [7, 4, 1], 'HTTP/1.1 200 OK\r\n'), 'WRONG head'],
])('%s', (_, found, expected) => {
  expect(found).toBe(expected)
})

test('refusals are told by their codes, and a body that is cut by its status', () => {
  const refusal = { status: 503, head: '', body: '{"code":"busy"}' }
  expect(outcomeOf(refusal, 7, editions)).toBe('503 busy')
  expect(outcomeOf({ ...refusal, body: '{"code":' }, 7, editions)).toBe('WRONG body of 503')
})
