import { expect, test } from 'vitest'
import { describeKeyEvent } from '../../../src/jwt/describe-key-event.ts'

/** The words that operators read; that each is said once is held where the events are made. */

const place = {
  tenantId: 'studio',
  issuer: 'https://auth.example',
  url: 'https://auth.example/keys?code=s3cret',
}
const whose = { tenant: 'studio', issuer: 'https://auth.example' }

test('fetching that fails is a warning, which says why and what serves meanwhile', () => {
  expect(describeKeyEvent({ event: 'failing', place, reason: 'no answer within 2000 ms' })).toEqual({
    level: 'warn',
    fields: { ...whose, reason: 'no answer within 2000 ms' },
    message: 'keys can not be fetched; the last ones go on serving for a day',
  })
})

test('fetching that works again is told', () => {
  expect(describeKeyEvent({ event: 'recovered', place })).toEqual({
    level: 'info',
    fields: whose,
    message: 'keys can be fetched again',
  })
})

test('a key that is left out is told by its name and its fault, and by nothing else of it', () => {
  const key = { kid: 'k1', reason: 'crv: must be P-256', n: 'modulus', d: 'private half' }
  expect(describeKeyEvent({ event: 'left-out', place, key })).toEqual({
    level: 'warn',
    fields: { ...whose, kid: 'k1', reason: 'crv: must be P-256' },
    message: 'a key of the key server can not be used',
  })
})

test('no line holds the URL, which may have a secret in its query', () => {
  const key = { kid: null, reason: 'kty: must be EC (curve P-256), RSA or OKP (curve Ed25519)' }
  const lines = [
    describeKeyEvent({ event: 'failing', place, reason: 'the key server answers 500' }),
    describeKeyEvent({ event: 'recovered', place }),
    describeKeyEvent({ event: 'left-out', place, key }),
  ]
  expect(JSON.stringify(lines)).not.toMatch(/s3cret|\/keys/)
})
