import { expect, test } from 'vitest'
import { describeBreakerEvent } from '../../../src/redis/describe-breaker-event.ts'

const node = '127.0.0.1:6379'

test('a Redis that fails reads is a warning with the reason', () => {
  expect(describeBreakerEvent({ event: 'opened', node, reason: 'answers take 512 ms' })).toEqual({
    level: 'warn',
    fields: { node, reason: 'answers take 512 ms' },
    message: expect.stringMatching(/^Redis fails reads/),
  })
})

test('its end says how long it was, and a lost node that it is no longer asked', () => {
  expect(describeBreakerEvent({ event: 'closed', node, openMs: 1_234 })).toEqual({
    level: 'info',
    fields: { node, afterMs: 1_234 },
    message: 'Redis is read again',
  })
  expect(describeBreakerEvent({ event: 'gone', node })).toMatchObject({ level: 'info', fields: { node } })
})
