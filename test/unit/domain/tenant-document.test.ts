import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Fault } from '../../../src/domain/errors.ts'
import { checkTenantDocument } from '../../../src/domain/tenant-document.ts'
import { type LooseDocument, type LooseModel, leaveOut, type Mapping } from '../../support/loose-document.ts'

const jwk = { kty: 'EC', crv: 'P-256', x: 'eA', y: 'eQ', alg: 'ES256' }

/** DESIGN's document, with a key in the place of its "…". */
const designYaml = `
format: 1
tenant: steam-demo
issuers:
  - { issuer: https://auth.demo.example, audience: recgate, jwks: { keys: [ ${JSON.stringify(jwk)} ] } }
claims: { model: model, unit: sub }
quota: { requestsPerSecond: 2000, burst: 4000, concurrency: 500 }
models:
  games:
    key: [{ claim: sub, column: player_id }]
    record:
      segment:      { type: enum, values: [newcomer, casual, regular, collector], room: 16, default: newcomer }
      hours_played: { type: fixed, min: 0, max: 20000, step: 0.1 }
      games:        { type: list, maxItems: 5, items: { type: uint, max: 4095 } }
      scores:       { type: list, maxItems: 5, items: { type: fixed, min: 0, max: 1, step: 0.001 } }
    default: { segment: newcomer, hours_played: 0, games: [1, 2, 3], scores: [1, 0.5, 0.3] }
    maxAgeSeconds: 300
    deadlineMs: 50
    versions: [popular, itemcf]
    control: popular
    weights: { popular: 90, itemcf: 10 }
    overrides: { itemcf: ["5250"] }
`
const design = (): LooseDocument => parse(designYaml)

type Change = (document: LooseDocument, games: LooseModel) => void

/** What is wrong with a document as `path: problem`, after it was broken. */
function faultsAfter(breakIt: Change): string[] {
  const document = design()
  breakIt(document, document.models.games)
  return faultsIn(document)
}

function faultsIn(document: unknown): string[] {
  const checked = checkTenantDocument(document)
  expect(checked.document === null).toBe(checked.faults.length > 0)
  return checked.faults.map(({ path, problem }) => `${path}: ${problem}`)
}

const idRule = 'must be a lower-case letter, then up to 31 of a-z, 0-9, "_" and "-"'
const keyPartRule =
  'must be { claim } or { query } with one of values: […], uint: { max } and id: { maxBytes }; column is optional'
const typeRule = 'bool, uint, int, fixed, enum, timestamp, string, bytes, list or struct'
const wholeNumberRule = 'a whole number within ±9007199254740991'
const jwksRule =
  'issuers[0].jwks: must be { keys: […] }, with public keys, or { url: https://… }, where they are fetched from'
const units = (count: number) => Array.from({ length: count }, (_, index) => `unit-${index}`)

describe('a sound document', () => {
  test('the one of the design is accepted as it stands', () => {
    const checked = checkTenantDocument(design())
    expect(checked.faults).toEqual([])
    expect(checked.document).toEqual(design())
  })

  test('the sample studio of config/ is accepted', () => {
    expect(faultsIn(parse(readFileSync('config/demo/tenant.yaml', 'utf8')))).toEqual([])
  })

  test('what may be left out gets its default', () => {
    const document = design()
    const { claims, quota, ...rest } = document
    const { maxAgeSeconds, deadlineMs, overrides, ...games } = document.models.games
    const checked = checkTenantDocument({ ...rest, issuers: [], models: { games } })
    expect(checked.document).toMatchObject({
      claims: { model: 'model', unit: 'sub' },
      models: { games: { maxAgeSeconds: 300, deadlineMs: 50 } },
    })
    expect(checked.document).not.toHaveProperty('quota')
  })

  test('a studio without models yet is a studio', () => {
    expect(faultsIn({ format: 1, tenant: 'new', issuers: [], models: {} })).toEqual([])
  })

  test('fields of the record keep their order, which the packed bytes follow', () => {
    const { document } = checkTenantDocument(design())
    const names = ['segment', 'hours_played', 'games', 'scores']
    expect(Object.keys(document?.models['games']?.record ?? {})).toEqual(names)
  })

  test.each<[string, Change]>([
    ['default: none', (_, games) => Object.assign(games, { default: 'none' })],
    ['a weight of 0 that is not named', (_, games) => Object.assign(games, { weights: { popular: 100 } })],
    [
      'a weight with two decimals',
      (_, games) => Object.assign(games, { weights: { popular: 99.99, itemcf: 0.01 } }),
    ],
    ['1,000 overrides', (_, games) => Object.assign(games, { overrides: { itemcf: units(1000) } })],
    [
      'public data',
      (_, games) => Object.assign(games, { public: true, key: [{ query: 'page', uint: { max: 9 } }] }),
    ],
    ['public: false with a claim', (_, games) => Object.assign(games, { public: false })],
    ['ignored parameters', (_, games) => Object.assign(games, { ignoredParameters: ['utm_source', 'v'] })],
    ['a version claim', (document) => Object.assign(document.claims, { version: 'exp' })],
    ['an id of 32 characters', (document) => Object.assign(document, { tenant: `a${'0'.repeat(31)}` })],
    [
      'all kinds of key parts',
      (_, games) => {
        games.key = [
          { claim: 'sub', column: 'player_id' },
          { query: 'country', values: ['DE', 'FR'] },
          { query: 'level', uint: { max: 99 } },
          { query: 'item', id: { maxBytes: 16 }, column: 'item_id' },
        ]
      },
    ],
    [
      'a secret of the settings',
      (document) => {
        document.issuers[0] = {
          issuer: 'studio',
          audience: 'recgate',
          hs256: { secretRef: 'studio', kid: '1' },
        }
      },
    ],
    [
      'keys by URL, some revoked',
      (document) =>
        Object.assign(document.issuers[0], {
          jwks: { url: 'https://auth.example/jwks.json' },
          revokedKids: ['2026-10'],
        }),
    ],
    [
      'an issuer for some models',
      (document) => Object.assign(document.issuers[0], { models: ['games'], maxLifetimeSeconds: 60 }),
    ],
  ])('%s', (_, change) => {
    expect(faultsAfter(change)).toEqual([])
  })
})

describe('the URL of a key server', () => {
  const faultsOfUrl = (url: string) =>
    faultsAfter((document) => Object.assign(document.issuers[0], { jwks: { url } }))

  test.each([
    'https://auth.example',
    'https://auth.example/',
    'HTTPS://Auth.Example:8443/a/b?c=d@e',
    'https://10.0.0.7/jwks.json',
    'https://[fd00::7]:8443/jwks.json',
    `https://auth.example/${'x'.repeat(2_027)}`,
  ])('%s is accepted', (url) => expect(faultsOfUrl(url)).toEqual([]))

  test.each([
    'http://auth.example/jwks.json',
    'auth.example/jwks.json',
    '//auth.example/jwks.json',
    'https:auth.example',
    'https:///jwks.json',
    'https://',
    'https://?x',
    ' https://auth.example',
    'https://auth.example/a b',
    'https://auth.example\n',
    'https://auth.ex\tample/',
    'https://auth.example\\@10.0.0.1/',
    'https://a:b:c/',
    'https://auth.example:99999/',
    'https://[::1/',
    'ftp://auth.example/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    '',
  ])('%j is none', (url) => {
    const rule = 'must be an https:// URL, such as https://auth.studio.example/jwks.json'
    expect(faultsOfUrl(url)).toEqual([`issuers[0].jwks.url: ${rule}`])
  })

  test.each([
    'https://u@auth.example/',
    'https://u:p@auth.example',
    'https://@auth.example/',
    'https://:@auth.example/',
  ])('%s names a user', (url) =>
    expect(faultsOfUrl(url)).toEqual([
      expect.stringMatching(/^issuers\[0\]\.jwks\.url: must have no user or/),
    ]),
  )

  test.each(['https://auth.example/jwks#a', 'https://auth.example#', 'https://auth.example/?a#@'])(
    '%s has a fragment',
    (url) => expect(faultsOfUrl(url)).toEqual(['issuers[0].jwks.url: must have no fragment (#…)']),
  )
})

describe('each rule names the path and what would be right', () => {
  type Case = [rule: string, breakIt: Change, ...faults: string[]]
  test.each<Case>([
    [
      'unknown field of the document',
      (d) => Object.assign(d, { modles: {} }),
      'modles: is not a known field here',
    ],
    [
      'unknown field of claims',
      (d) => Object.assign(d.claims, { sub: 'x' }),
      'claims.sub: is not a known field here',
    ],
    [
      'unknown field of a model',
      (_, g) => Object.assign(g, { wieghts: {} }),
      'models.games.wieghts: is not a known field here',
    ],
    [
      'unknown field of an issuer',
      (d) => Object.assign(d.issuers[0], { aud: 'x' }),
      'issuers[0].aud: is not a known field here',
    ],
    [
      'unknown field of a record field',
      (_, g) => Object.assign(g.record.games, { max: 5 }),
      'models.games.record.games.max: is not a known field here',
    ],
    [
      'unknown field of a key part',
      (_, g) => Object.assign(g.key[0], { colum: 'x' }),
      'models.games.key[0].colum: is not a known field here',
    ],

    ['format', (d) => Object.assign(d, { format: 2 }), 'format: must be 1'],
    ['format missing', (d) => leaveOut(d, 'format'), 'format: is missing; it must be 1'],
    ['tenant missing', (d) => leaveOut(d, 'tenant'), 'tenant: is missing; it must be text'],
    ['tenant of another type', (d) => Object.assign(d, { tenant: 7 }), 'tenant: must be text, not a number'],
    ['tenant id', (d) => Object.assign(d, { tenant: 'Steam' }), `tenant: ${idRule}`],
    ['tenant id too long', (d) => Object.assign(d, { tenant: 'a'.repeat(33) }), `tenant: ${idRule}`],
    ['tenant id with a key separator', (d) => Object.assign(d, { tenant: 'a:b' }), `tenant: ${idRule}`],
    ['issuers missing', (d) => leaveOut(d, 'issuers'), 'issuers: is missing; it must be a list'],
    [
      'issuers of another type',
      (d) => Object.assign(d, { issuers: {} }),
      'issuers: must be a list, not a mapping',
    ],
    ['models missing', (d) => leaveOut(d, 'models'), 'models: is missing; it must be a mapping'],
    [
      'models of another type',
      (d) => Object.assign(d, { models: [] }),
      'models: must be a mapping, not a list',
    ],
    [
      'claims of another type',
      (d) => Object.assign(d, { claims: 'sub' }),
      'claims: must be a mapping, not text',
    ],
    ['claim name empty', (d) => Object.assign(d.claims, { unit: '' }), 'claims.unit: must name a claim'],
    [
      'claim name too long',
      (d) => Object.assign(d.claims, { unit: 'x'.repeat(129) }),
      'claims.unit: must be at most 128 characters',
    ],
    [
      'quota',
      (d) => Object.assign(d, { quota: { requestsPerSecond: 0, burst: 0, concurrency: 1.5 } }),
      'quota.requestsPerSecond: must be above 0',
      'quota.burst: must be 1 or more',
      'quota.concurrency: must be a whole number',
    ],
    [
      'quota incomplete',
      (d) => Object.assign(d, { quota: { burst: '5' } }),
      'quota.requestsPerSecond: is missing; it must be a number',
      'quota.burst: must be a number, not text',
      'quota.concurrency: is missing; it must be a number',
    ],

    [
      'model id',
      (d, g) => Object.assign(d.models, { 'Bad id': g }),
      `models.Bad id: is not a fitting name: ${idRule}`,
    ],
    [
      'model empty',
      (d) => Object.assign(d.models, { other: null }),
      'models.other: must be a mapping, not empty',
    ],
    [
      'too many models',
      (d, g) => Object.assign(d.models, Object.fromEntries(units(256).map((id) => [id, g]))),
      'models: must be at most 256 models',
    ],
    [
      'maxAgeSeconds below',
      (_, g) => Object.assign(g, { maxAgeSeconds: -1 }),
      'models.games.maxAgeSeconds: must be 0 or more',
    ],
    [
      'maxAgeSeconds above',
      (_, g) => Object.assign(g, { maxAgeSeconds: 86_401 }),
      'models.games.maxAgeSeconds: must be 86400 or less',
    ],
    [
      'deadlineMs below',
      (_, g) => Object.assign(g, { deadlineMs: 4 }),
      'models.games.deadlineMs: must be 5 or more',
    ],
    [
      'deadlineMs above',
      (_, g) => Object.assign(g, { deadlineMs: 10_001 }),
      'models.games.deadlineMs: must be 10000 or less',
    ],
    [
      'nearCacheSeconds below',
      (_, g) => Object.assign(g, { nearCacheSeconds: -0.5 }),
      'models.games.nearCacheSeconds: must be 0 or more',
    ],
    [
      'nearCacheSeconds above',
      (_, g) => Object.assign(g, { nearCacheSeconds: 300.5 }),
      'models.games.nearCacheSeconds: must be 300 or less',
    ],
    [
      'staleSeconds above',
      (_, g) => Object.assign(g, { staleSeconds: 86_401 }),
      'models.games.staleSeconds: must be 86400 or less',
    ],
    [
      'deadlineMs of another type',
      (_, g) => Object.assign(g, { deadlineMs: '50' }),
      'models.games.deadlineMs: must be a number, not text',
    ],

    ['key missing', (_, g) => leaveOut(g, 'key'), 'models.games.key: is missing; it must be a list'],
    ['key empty', (_, g) => Object.assign(g, { key: [] }), 'models.games.key: must have at least one part'],
    [
      'key with too many parts',
      (_, g) => Object.assign(g, { key: units(9).map((claim) => ({ claim })) }),
      'models.games.key: may have at most 8 entries',
    ],
    [
      'key part of another type',
      (_, g) => Object.assign(g, { key: ['sub'] }),
      `models.games.key[0]: ${keyPartRule}`,
    ],
    [
      'key part without a source',
      (_, g) => Object.assign(g, { key: [{ column: 'x' }] }),
      `models.games.key[0]: ${keyPartRule}`,
    ],
    [
      'key part with a parameter of no type',
      (_, g) => Object.assign(g, { key: [{ claim: 'sub' }, { query: 'q' }] }),
      `models.games.key[1]: ${keyPartRule}`,
    ],
    [
      'key part of two types',
      (_, g) =>
        Object.assign(g, { key: [{ claim: 'sub' }, { query: 'q', values: ['a'], uint: { max: 1 } }] }),
      `models.games.key[1]: ${keyPartRule}`,
    ],
    [
      'key part with a regular expression',
      (_, g) => Object.assign(g, { key: [{ claim: 'sub' }, { query: 'q', regex: '.*' }] }),
      `models.games.key[1]: ${keyPartRule}`,
    ],
    [
      'parameter name',
      (_, g) => g.key.push({ query: '1st', uint: { max: 1 } }),
      'models.games.key[1].query: must be a letter, then up to 63 letters, digits, "_", "." or "-"',
    ],
    [
      'uint without max',
      (_, g) => g.key.push({ query: 'q', uint: {} }),
      'models.games.key[1].uint.max: is missing; it must be a number',
    ],
    [
      'uint max',
      (_, g) => g.key.push({ query: 'q', uint: { max: -1 } }),
      'models.games.key[1].uint.max: must be 0 or more',
    ],
    [
      'id maxBytes',
      (_, g) => g.key.push({ query: 'q', id: { maxBytes: 129 } }),
      'models.games.key[1].id.maxBytes: must be 128 or less',
    ],
    [
      'values empty',
      (_, g) => g.key.push({ query: 'q', values: [] }),
      'models.games.key[1].values: is empty; it must have at least one entry',
    ],
    [
      'a value empty',
      (_, g) => g.key.push({ query: 'q', values: [''] }),
      'models.games.key[1].values[0]: is empty; it must have at least one character',
    ],
    [
      'a value of another type',
      (_, g) => g.key.push({ query: 'q', values: ['a', 1] }),
      'models.games.key[1].values[1]: must be text, not a number',
    ],
    [
      'a value twice',
      (_, g) => g.key.push({ query: 'q', values: ['a', 'a'] }),
      'models.games.key[1].values: holds a value twice',
    ],
    [
      'reserved parameter',
      (_, g) => g.key.push({ query: 'model', uint: { max: 1 } }),
      'models.games.key[1]: "model" is taken: that parameter chooses the model',
    ],
    [
      'a claim twice',
      (_, g) => g.key.push({ claim: 'sub', column: 'again' }),
      'models.games.key[1]: the claim "sub" stands twice',
    ],
    [
      'a column twice',
      (_, g) => g.key.push({ query: 'player_id', uint: { max: 1 } }),
      'models.games.key[1]: the column "player_id" stands twice; name another with column',
    ],
    [
      'a column that is a field',
      (_, g) => Object.assign(g, { key: [{ claim: 'sub', column: 'segment' }] }),
      'models.games.key[0]: the column "segment" is a field of the record, too',
    ],
    [
      'public missing',
      (_, g) => Object.assign(g, { key: [{ query: 'page', uint: { max: 9 } }] }),
      'models.games.public: must be true: the row key has no claim, so everybody with a token reads every row',
    ],
    [
      'public with a claim',
      (_, g) => Object.assign(g, { public: true }),
      'models.games.public: must be false or absent: the row key has a claim',
    ],
    [
      'public of another type',
      (_, g) => Object.assign(g, { public: 'yes' }),
      'models.games.public: must be true or false, not text',
    ],
    [
      'ignored parameters that are used',
      (_, g) => {
        g.key.push({ query: 'q', uint: { max: 1 } })
        g.ignoredParameters = ['fine', 'q', 'model']
      },
      'models.games.ignoredParameters[1]: "q" is used, not ignored',
      'models.games.ignoredParameters[2]: "model" is used, not ignored',
    ],

    [
      'record missing',
      (_, g) => leaveOut(g, 'record'),
      'models.games.record: is missing; it must give the fields',
    ],
    [
      'record of another type',
      (_, g) => Object.assign(g, { record: [] }),
      'models.games.record: must be a mapping, not a list',
    ],
    [
      'record empty',
      (_, g) => Object.assign(g, { record: {}, default: 'none' }),
      'models.games.record: is empty; a record has at least one field',
    ],
    [
      'a field of no type',
      (_, g) => Object.assign(g.record, { extra: {} }),
      `models.games.record.extra.type: is missing; it must be ${typeRule}`,
    ],
    [
      'a field of an unknown type',
      (_, g) => Object.assign(g.record, { extra: { type: 'float' } }),
      `models.games.record.extra.type: must be ${typeRule}`,
    ],
    [
      'a field that is none',
      (_, g) => Object.assign(g.record, { extra: 5 }),
      `models.games.record.extra: must be a field, { type, … }, whose type is ${typeRule}`,
    ],
    [
      'a field without its numbers',
      (_, g) => Object.assign(g.record, { extra: { type: 'uint' } }),
      `models.games.record.extra.max: is missing; it must be ${wholeNumberRule}`,
    ],
    [
      'a field whose number is none',
      (_, g) => Object.assign(g.record, { extra: { type: 'uint', max: 'many' } }),
      `models.games.record.extra.max: must be ${wholeNumberRule}`,
    ],
    [
      'a list without its items',
      (_, g) => Object.assign(g.record, { extra: { type: 'list', maxItems: 3 } }),
      `models.games.record.extra.items: is missing; it must be a field, { type, … }, whose type is ${typeRule}`,
    ],
    [
      'a field that makes no sense',
      (_, g) => Object.assign(g.record.hours_played, { step: 0.3 }),
      "models.games.record.hours_played.step: 0.3 doesn't divide 0 to 20000 into whole steps; with max 19999.8 or 20000.1 it would",
    ],
    [
      'an item of a list',
      (_, g) => Object.assign(g.record.games.items, { max: -1 }),
      'models.games.record.games.items.max: -1 is below 0; it must be 0 or more',
    ],
    [
      'default missing',
      (_, g) => leaveOut(g, 'default'),
      'models.games.default: is missing; it must be a record, or none where an unknown row is to be answered 404',
    ],
    [
      'default of another type',
      (_, g) => Object.assign(g, { default: 'nothing' }),
      'models.games.default: must be a record, or none where an unknown row is to be answered 404',
    ],
    [
      'default out of range',
      (_, g) => Object.assign(g.default, { hours_played: 20_001 }),
      "models.games.default.hours_played: 20001 doesn't fit; what fits is a number from 0 to 20000 in steps of 0.1",
    ],
    [
      'default with an item out of range',
      (_, g) => Object.assign(g.default, { games: [1, 4096] }),
      "models.games.default.games[1]: 4096 doesn't fit; what fits is a whole number from 0 to 4095",
    ],
    [
      'default with an unknown field',
      (_, g) => Object.assign(g.default, { hours: 1 }),
      "models.games.default.hours: isn't a field here; what fits is an object with the fields segment, hours_played, games, scores",
    ],

    [
      'versions missing',
      (_, g) => leaveOut(g, 'versions'),
      'models.games.versions: is missing; it must be a list',
    ],
    [
      'versions empty',
      (_, g) => Object.assign(g, { versions: [], overrides: {}, weights: {} }),
      'models.games.versions: must name at least one version',
      'models.games.control: "popular" is not in versions ()',
      'models.games.weights: the weights sum to 0, but must sum to exactly 100: 100 missing',
    ],
    ['version id', (_, g) => g.versions.push('V2'), `models.games.versions[2]: ${idRule}`],
    ['version twice', (_, g) => g.versions.push('itemcf'), 'models.games.versions: holds a version twice'],
    [
      'too many versions',
      (_, g) => g.versions.push(...units(31)),
      'models.games.versions: may have at most 32 entries',
    ],
    [
      'control missing',
      (_, g) => leaveOut(g, 'control'),
      'models.games.control: is missing; it must be text',
    ],
    [
      'control unknown',
      (_, g) => Object.assign(g, { control: 'als' }),
      'models.games.control: "als" is not in versions (popular, itemcf)',
    ],
    [
      'weights missing',
      (_, g) => leaveOut(g, 'weights'),
      'models.games.weights: is missing; it must be a mapping',
    ],
    [
      'weight of another type',
      (_, g) => Object.assign(g.weights, { itemcf: '10' }),
      'models.games.weights.itemcf: must be a number, not text',
    ],
    [
      'weight empty',
      (_, g) => Object.assign(g.weights, { itemcf: null }),
      'models.games.weights.itemcf: must be a number, not empty',
    ],
    [
      'weights that do not sum to 100',
      (_, g) => Object.assign(g.weights, { itemcf: 9.99 }),
      'models.games.weights: the weights sum to 99.99 (popular 90, itemcf 9.99), but must sum to exactly 100: 0.01 missing',
    ],
    [
      'weight with three decimals',
      (_, g) => Object.assign(g.weights, { itemcf: 10.001 }),
      'models.games.weights.itemcf: the weight of "itemcf" is 10.001, but may have two decimals at most, such as 10 or 10.01',
    ],
    [
      'weight of an unknown version',
      (_, g) => Object.assign(g, { weights: { popular: 90, als: 10 } }),
      'models.games.weights.als: "als" is not in versions (popular, itemcf)',
    ],
    [
      'overrides of an unknown version',
      (_, g) => Object.assign(g, { overrides: { als: ['1'] } }),
      'models.games.overrides.als: "als" is not in versions (popular, itemcf)',
    ],
    [
      'overrides twice',
      (_, g) => Object.assign(g, { overrides: { itemcf: ['1', '2'], popular: ['2'] } }),
      'models.games.overrides.popular[0]: the unit "2" is overridden to "itemcf" already',
    ],
    [
      'over 1,000 overrides',
      (_, g) => Object.assign(g, { overrides: { itemcf: units(600), popular: units(1001).slice(600) } }),
      'models.games.overrides: holds 1001 units; at most 1000 a model',
    ],
    [
      'overrides of numbers',
      (_, g) => Object.assign(g, { overrides: { itemcf: [5250] } }),
      'models.games.overrides.itemcf[0]: must be text, not a number',
    ],
    [
      'overrides of long units',
      (_, g) => Object.assign(g, { overrides: { itemcf: ['é'.repeat(127), 'é'.repeat(128)] } }),
      'models.games.overrides.itemcf[1]: may have at most 255 bytes of UTF-8',
    ],

    [
      'issuer missing',
      (d) => leaveOut(d.issuers[0], 'issuer'),
      'issuers[0].issuer: is missing; it must be text',
    ],
    [
      'audience empty',
      (d) => Object.assign(d.issuers[0], { audience: '' }),
      'issuers[0].audience: is empty; it must have at least one character',
    ],
    [
      'too many issuers',
      (d) =>
        Object.assign(d, {
          issuers: units(33).map((issuer) => ({ issuer, audience: 'x', jwks: { keys: [jwk] } })),
        }),
      'issuers: may have at most 32 entries',
    ],
    [
      'issuer twice',
      (d) => d.issuers.push(d.issuers[0]),
      'issuers[1].issuer: stands twice; one entry an issuer',
    ],
    [
      'development issuer',
      (d) => Object.assign(d.issuers[0], { issuer: 'https://dev.recgate.invalid/steam-demo' }),
      'issuers[0].issuer: is kept for development keys; use your own issuer',
    ],
    [
      'neither jwks nor hs256',
      (d) => leaveOut(d.issuers[0], 'jwks'),
      'issuers[0]: must have exactly one of jwks: { keys: […] }, jwks: { url: https://… } and hs256: { secretRef }',
    ],
    [
      'hs256 with an empty kid',
      (d) => (d.issuers[0] = { issuer: 'i', audience: 'a', hs256: { secretRef: 's', kid: '' } }),
      'issuers[0].hs256.kid: is empty; it must have at least one character',
    ],
    [
      'both jwks and hs256',
      (d) => Object.assign(d.issuers[0], { hs256: { secretRef: 'studio' } }),
      'issuers[0]: must have exactly one of jwks: { keys: […] }, jwks: { url: https://… } and hs256: { secretRef }',
    ],
    [
      'no key',
      (d) => Object.assign(d.issuers[0], { jwks: { keys: [] } }),
      'issuers[0].jwks.keys: is empty; it must have at least one entry',
    ],
    [
      'key of another type',
      (d) => Object.assign(d.issuers[0], { jwks: { keys: ['x'] } }),
      'issuers[0].jwks.keys[0]: must be a mapping, not text',
    ],
    ['jwks without either', (d) => Object.assign(d.issuers[0], { jwks: {} }), jwksRule],
    [
      'jwks with both',
      (d) => Object.assign(d.issuers[0], { jwks: { keys: [jwk], url: 'https://x.example' } }),
      jwksRule,
    ],
    [
      'a URL that is no text',
      (d) => Object.assign(d.issuers[0], { jwks: { url: 5 } }),
      'issuers[0].jwks.url: must be text, not a number',
    ],
    [
      'a URL too long',
      (d) => Object.assign(d.issuers[0], { jwks: { url: `https://auth.example/${'x'.repeat(2_028)}` } }),
      'issuers[0].jwks.url: may have at most 2048 characters',
    ],
    [
      'revoked kids that are none',
      (d) => Object.assign(d.issuers[0], { revokedKids: ['', 'x'.repeat(129), 5] }),
      'issuers[0].revokedKids[0]: is empty; it must have at least one character',
      'issuers[0].revokedKids[1]: may have at most 128 characters',
      'issuers[0].revokedKids[2]: must be text, not a number',
    ],
    [
      'too many revoked kids',
      (d) => Object.assign(d.issuers[0], { revokedKids: units(257) }),
      'issuers[0].revokedKids: may have at most 256 entries',
    ],
    [
      'a secret in the document',
      (d) => Object.assign(d.issuers[0], { jwks: undefined, hs256: { secretRef: 's', secret: 'x' } }),
      'issuers[0].hs256.secret: is not a known field here',
    ],
    [
      'models of an issuer',
      (d) => Object.assign(d.issuers[0], { models: ['games', 'offers', 'constructor'] }),
      'issuers[0].models[1]: "offers" is not a model here',
      'issuers[0].models[2]: "constructor" is not a model here',
    ],
    [
      'maxLifetimeSeconds',
      (d) => Object.assign(d.issuers[0], { maxLifetimeSeconds: 0 }),
      'issuers[0].maxLifetimeSeconds: must be 1 or more',
    ],
  ])('%s', (_, breakIt, ...faults) => {
    expect(faultsAfter(breakIt)).toEqual(faults)
  })

  test.each([
    [null, ': must be a mapping, not empty'],
    [undefined, ': is missing; it must be a mapping'],
    ['format: 1', ': must be a mapping, not text'],
    [[], ': must be a mapping, not a list'],
  ])('a document that is %j', (document, fault) => {
    expect(faultsIn(document)).toEqual([fault])
  })
})

test('a document with many faults gives all of them at once, whatever else is broken around them', () => {
  const faults = faultsAfter((document, games) => {
    document['fromat'] = 1
    document.tenant = 'Steam Demo'
    document.issuers.push(document.issuers[0], { issuer: 'x' }, { issuer: 'y', audience: 'z' })
    document.quota.burst = 'many'
    games['maxAge'] = 300
    games.deadlineMs = 1
    games.key.push({ query: 'model', uint: { max: 5 } })
    games.record['extra'] = { type: 'uint', max: -1 }
    games.versions.push('V3')
    games.control = 'als'
    games.weights.itemcf = 20
    games.overrides['popular'] = ['5250']
    Object.assign(document.models, {
      offers: { ...games, key: 5, default: 5, record: design().models.games.record },
      sound: { ...design().models.games, default: { segment: 'whale' } },
    })
  })
  expect(faults.map((fault) => fault.slice(0, fault.indexOf(': '))).sort()).toEqual([
    'fromat',
    'issuers[1].issuer',
    'issuers[2].audience',
    'issuers[3]',
    'models.games.control',
    'models.games.deadlineMs',
    'models.games.key[1]',
    'models.games.maxAge',
    'models.games.overrides.popular[0]',
    'models.games.record.extra.max',
    'models.games.versions[2]',
    'models.games.weights',
    'models.offers.control',
    'models.offers.deadlineMs',
    'models.offers.default',
    'models.offers.key',
    'models.offers.maxAge',
    'models.offers.overrides.popular[0]',
    'models.offers.versions[2]',
    'models.offers.weights',
    'models.sound.default.segment',
    'quota.burst',
    'tenant',
  ])
})

describe('names that JavaScript has a meaning for', () => {
  const withText = (from: string, to: string) => JSON.parse(JSON.stringify(design()).replace(from, to))
  const taken = '__proto__: is taken by JavaScript; use another name'

  test.each([
    ['a model', '"games":{"key"', '"__proto__":{"key"', `models.${taken}`],
    ['a weight', '"popular":90', '"popular":90,"__proto__":10', `models.games.weights.${taken}`],
    ['overrides', '"itemcf":["5250"]', '"__proto__":["5250"]', `models.games.overrides.${taken}`],
    [
      'a field of the default',
      '"segment":"newcomer"',
      '"__proto__":1,"segment":"newcomer"',
      `models.games.default.${taken}`,
    ],
  ])('__proto__ as %s is a fault, not passed over', (_, from, to, fault) => {
    expect(faultsIn(withText(from, to))).toEqual([fault])
  })

  test.each([
    ['a field of the record', '"segment":{', '"__proto__":{', 'models.games.record'],
    ['a field of the document', '"format":1', '"format":1,"__proto__":{"tenant":"x"}', '__proto__'],
  ])('__proto__ as %s is a fault', (_, from, to, path) => {
    const faults = faultsIn(withText(from, to))
    expect(faults.some((fault) => fault.startsWith(`${path}: `))).toBe(true)
  })

  test('constructor is an id like another, and prototypes answer for nothing', () => {
    const document = design()
    const model = {
      ...document.models.games,
      key: [{ claim: 'constructor' }, { query: 'constructor', column: 'toString', uint: { max: 1 } }],
      versions: ['constructor'],
      control: 'constructor',
      weights: { constructor: 100 },
      overrides: { constructor: ['constructor', '__proto__'] },
    }
    Object.assign(document.models, { constructor: model })
    const checked = checkTenantDocument(document)
    expect(checked.faults).toEqual([])
    expect(checked.document?.models['constructor']?.weights).toEqual({ constructor: 100 })
  })

  test('a version called constructor that nobody declared is unknown', () => {
    const unknown = '"constructor" is not in versions (popular, itemcf)'
    expect(faultsAfter((_, games) => Object.assign(games, { control: 'constructor' }))).toEqual([
      `models.games.control: ${unknown}`,
    ])
  })
})

describe('whatever JSON comes, faults come and no exception', () => {
  const leaks = /Invalid input|Invalid key|Too small|Too big|expected|received|undefined|\[object|NaN/
  const wellWorded = (faults: readonly Fault[]) => {
    for (const { path, problem } of faults) {
      expect(problem).not.toMatch(leaks)
      expect(problem).not.toMatch(/^\s*$|\.$/)
      expect(typeof path).toBe('string')
    }
  }

  test('any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const { document, faults } = checkTenantDocument(value)
        expect(document).toBeNull()
        expect(faults.length).toBeGreaterThan(0)
        wellWorded(faults)
      }),
      { numRuns: 300 },
    )
  })

  test('the sound document with anything in any one place', () => {
    const paths = pathsOf(design())
    const awkward = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>('', '__proto__', 'constructor', -0, 1e308, 2 ** 53, -1, 0.1, '\ud800', [[]], {
        '': 1,
      }),
    )
    fc.assert(
      fc.property(fc.constantFrom(...paths), awkward, fc.boolean(), (path, value, adds) => {
        const document = design()
        const parent = path.slice(0, -1).reduce<Mapping>((inner, name) => inner[name] as Mapping, document)
        parent[adds ? 'constructor' : path.at(-1)!] = structuredClone(value)
        const checked = checkTenantDocument(document)
        expect(checked.document === null).toBe(checked.faults.length > 0)
        wellWorded(checked.faults)
      }),
      { numRuns: 500 },
    )
  })

  test('depth beyond reason', () => {
    let deep: unknown = 1
    for (let level = 0; level < 5_000; level++) deep = level % 2 ? { a: deep } : [deep]
    for (const [place] of [['record'], ['default'], ['key'], ['weights'], ['overrides']])
      expect(faultsAfter((_, games) => Object.assign(games, { [place!]: deep })).length).toBeGreaterThan(0)
    expect(faultsAfter((document) => Object.assign(document, { issuers: deep })).length).toBeGreaterThan(0)
  })
})

/** Every place in a document, as a path of names. */
function pathsOf(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = [...path, Array.isArray(value) ? Number(name) : name]
    return [here, ...pathsOf(inner, here)]
  })
}

describe('gates and the age of tables', () => {
  test('may stand in part, and are kept as they are written', () => {
    const document = design()
    document.models.games.gates = { minRows: 1_000, maxBytes: 5e9 }
    document.models.games.maxAgeHours = { itemcf: 0.5 }
    const checked = checkTenantDocument(document)
    expect(checked.faults).toEqual([])
    expect(checked.document?.models['games']).toMatchObject({
      gates: { minRows: 1_000, maxBytes: 5e9 },
      maxAgeHours: { itemcf: 0.5 },
    })
  })

  test('have faults with their paths', () => {
    const faults = faultsAfter((_, games) => {
      games.gates = { minRetainedKeys: 50, maxEnumShareChange: '10 %', maxByte: 1 }
      games.maxAgeHours = { popular: 24, als: 6 }
    })
    expect(faults.sort()).toEqual([
      'models.games.gates.maxByte: is not a known field here',
      'models.games.gates.maxEnumShareChange: must be a number, not text',
      'models.games.gates.minRetainedKeys: must be 1 or less',
      'models.games.maxAgeHours.als: "als" is not in versions (popular, itemcf)',
    ])
    expect(
      faultsAfter((_, games) => {
        games.maxAgeHours = 'a day'
      }),
    ).toEqual(['models.games.maxAgeHours: must be a number of hours, or one for each version'])
    expect(
      faultsAfter((_, games) => {
        games.maxAgeHours = { popular: -1 }
      }),
    ).toEqual(['models.games.maxAgeHours.popular: must be above 0'])
  })
})
