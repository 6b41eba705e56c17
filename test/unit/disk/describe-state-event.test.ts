import { expect, test } from 'vitest'
import { describeStateEvent } from '../../../src/disk/describe-state-event.ts'

/** The words that operators read; that each is said once is held where the events are made. */

const file = '/var/lib/recgate/tenant.studio.state'

test('a file that is not believed is an error, with its place and what is wrong with it', () => {
  const reason = 'is damaged: its checksum is wrong'
  expect(describeStateEvent({ event: 'passed-over', file, reason })).toEqual({
    level: 'error',
    fields: { file, reason },
    message: 'state file is passed over',
  })
})

test('a disk that takes nothing is an error, which says what it may lead to', () => {
  const reason = 'ENOSPC: no space left on device, write'
  expect(describeStateEvent({ event: 'write-failed', file, reason })).toEqual({
    level: 'error',
    fields: { file, reason },
    message: 'state can not be written; the next start may find an older one. Trying on',
  })
})

test('a disk that takes everything again is told', () => {
  expect(describeStateEvent({ event: 'write-resumed' })).toEqual({
    level: 'info',
    fields: {},
    message: 'state can be written again',
  })
})
