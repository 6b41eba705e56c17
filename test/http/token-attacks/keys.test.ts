import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signToken, type TestKey } from '../../support/tokens.ts'
import {
  type AttackedStudio,
  algorithms,
  claimsOf,
  iss,
  type KeyOfEach,
  neighbourIss,
  secondIss,
  secretIss,
  startAttackedStudio,
  withHeader,
} from './attacked-studio.ts'
import { type AttackerServer, startAttackerServer } from './attacker-server.ts'

/** Which key a token is checked with: none that its sender brings, names or borrows from another issuer. */

let studio: AttackedStudio
let attacker: AttackerServer
let keys: KeyOfEach
let secondKeys: KeyOfEach
let neighbourKeys: KeyOfEach
let attackerKeys: KeyOfEach

beforeAll(async () => {
  studio = await startAttackedStudio()
  ;({ keys, secondKeys, neighbourKeys, attackerKeys } = studio)
  attacker = await startAttackerServer(Object.values(attackerKeys))
})
afterAll(async () => {
  await attacker?.stop()
  await studio?.stop()
})

describe('keys that the sender brings', () => {
  test.each(['jku', 'x5u', 'jwk', 'x5c'])('%s', async (name) => {
    const brought: Record<string, [value: unknown, signer: TestKey][]> = {
      jku: algorithms.map((alg) => [`${attacker.url}/keys.json`, attackerKeys[alg]]),
      x5u: [[`${attacker.url}/certificate.pem`, attacker.certificate.key]],
      jwk: algorithms.map((alg) => [attackerKeys[alg].publicJwk, attackerKeys[alg]]),
      x5c: [[[attacker.certificate.x5c], attacker.certificate.key]],
    }
    for (const [value, signer] of brought[name]!)
      for (const kid of [signer.algorithm, undefined, 'unheard-of', attacker.url])
        for (const more of [{}, { crit: [name] }]) {
          await studio.expectInvalid(await withHeader(signer, { [name]: value, kid, ...more }))
          // Nor may a token that is genuine otherwise carry it.
          await studio.expectInvalid(
            await withHeader(keys[signer.algorithm], { [name]: value, kid, ...more }),
          )
        }
    for (const value of [null, '', [], {}, false])
      await studio.expectInvalid(await withHeader(keys.ES256, { [name]: value }))
    await studio.expectInvalid(await withHeader(keys.ES256, { [name]: keys.ES256.publicJwk }))
  })

  test('all of them at once, and in the payload', async () => {
    const { key, x5c } = attacker.certificate
    const all = {
      jwk: key.publicJwk,
      jku: `${attacker.url}/keys.json`,
      x5u: `${attacker.url}/certificate.pem`,
      x5c: [x5c],
    }
    await studio.expectInvalid(await withHeader(key, all))
    await studio.expectInvalid(await signToken(key, claimsOf(iss, { ...all, cnf: { jwk: key.publicJwk } })))
  })

  test('a kid or an iss that is a URL', async () => {
    for (const kid of [`${attacker.url}/keys.json`, 'file:///dev/null', '/dev/null', '../../../dev/null'])
      await studio.expectInvalid(await withHeader(attackerKeys.ES256, { kid }))
    for (const issuer of [
      attacker.url,
      `${attacker.url}/`,
      `${iss}@${attacker.url}`,
      `${iss}#${attacker.url}`,
    ])
      await studio.expectInvalid(await signToken(attackerKeys.ES256, claimsOf(issuer)))
  })

  test('nobody asked the attacker for anything', () => {
    expect(attacker.requests).toStrictEqual([])
  })
})

describe('kid', () => {
  test.each<[name: string, kid: unknown]>([
    ['huge', 'k'.repeat(5_000)],
    ['of another algorithm’s key', 'RS256'],
    ['with a NUL', 'ES256\0'],
    ['with a space', 'ES256 '],
    ['in another case', 'es256'],
    ['half of a surrogate pair', '\ud800'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['a number', 256],
    ['a list', ['ES256']],
    ['null', null],
    ['an object', { kid: 'ES256' }],
    ['a place among the keys', '0'],
    ['empty', ''],
  ])('%s', async (_name, kid) => {
    await studio.expectInvalid(await withHeader(keys.ES256, { kid }))
    await studio.expectInvalid(await withHeader(attackerKeys.ES256, { kid }))
  })
})

describe('whose key for whose iss', () => {
  test.each(algorithms)('%s: every pair but the right ones, under the same kid and without', async (alg) => {
    const issuers = [
      [iss, keys],
      [secondIss, secondKeys],
      [neighbourIss, neighbourKeys],
      [secretIss, attackerKeys],
      ['https://nobody.example', attackerKeys],
    ] as const
    for (const [claimed, own] of issuers)
      for (const [, signers] of issuers)
        for (const header of [{}, { kid: undefined }])
          if (signers !== own || signers === attackerKeys)
            await studio.expectInvalid(await signToken(signers[alg], claimsOf(claimed), header))
  })

  test('an iss that is nearly one, or no text', async () => {
    for (const issuer of [
      `${iss}/`,
      `${iss}\0`,
      `${iss} `,
      iss.toUpperCase(),
      iss.replace('https', 'http'),
      iss.replace('attacked', 'attаcked'),
      `${iss}\ud800`,
      '\ud800',
      '',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      5,
      null,
      true,
      [iss],
      { iss },
    ])
      await studio.expectInvalid(await signToken(keys.ES256, { ...claimsOf(), iss: issuer }))
  })

  test('the development issuer, which nobody turned on', async () => {
    for (const issuer of ['https://dev.recgate.invalid/attacked', 'https://dev.recgate.invalid'])
      await studio.expectInvalid(await signToken(keys.ES256, claimsOf(issuer)))
  })
})

describe('afterwards', () => {
  test('the gateway has noted no error, and no part of any token', () => studio.expectNothingLogged())

  test('refusals before verification are counted for no tenant', () => studio.expectCountedForNobody())
})
