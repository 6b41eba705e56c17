import { describe, expect, test } from 'vitest'
import { parseRedisUrl, shownRedisUrl } from '../../../src/settings/redis-url.ts'

const plain = {
  topology: 'standalone',
  tls: false,
  username: null,
  password: null,
  masterName: null,
  database: 0,
}
const at = (host: string, port: number) => ({ host, port })

describe('a URL says where Redis is', () => {
  test.each([
    ['redis://localhost', { ...plain, nodes: [at('localhost', 6379)] }],
    ['redis://10.0.0.1:7000/', { ...plain, nodes: [at('10.0.0.1', 7000)] }],
    ['rediss://redis.example:1/15', { ...plain, tls: true, nodes: [at('redis.example', 1)], database: 15 }],
    ['redis://[::1]:7000/2', { ...plain, nodes: [at('::1', 7000)], database: 2 }],
    ['redis://[2001:db8::7]', { ...plain, nodes: [at('2001:db8::7', 6379)] }],
    ['redis://user:pass@h', { ...plain, username: 'user', password: 'pass', nodes: [at('h', 6379)] }],
    ['redis://:pass@h', { ...plain, password: 'pass', nodes: [at('h', 6379)] }],
    ['redis://user@h', { ...plain, username: 'user', nodes: [at('h', 6379)] }],
    [
      'redis://u:a%40b%2Fc%3A%25:d@h',
      { ...plain, username: 'u', password: 'a@b/c:%:d', nodes: [at('h', 6379)] },
    ],
    ['redis://u:a@b@h:1', { ...plain, username: 'u', password: 'a@b', nodes: [at('h', 1)] }],
    [
      'redis+sentinel://s1,s2:26380,[::1]:5/my%20master',
      {
        ...plain,
        topology: 'sentinel',
        masterName: 'my master',
        nodes: [at('s1', 26379), at('s2', 26380), at('::1', 5)],
      },
    ],
    [
      'rediss+sentinel://u:p@s1:1/main/3',
      {
        ...plain,
        topology: 'sentinel',
        tls: true,
        username: 'u',
        password: 'p',
        masterName: 'main',
        database: 3,
        nodes: [at('s1', 1)],
      },
    ],
    [
      'redis+cluster://:p@a:7000,b,c_c.d-e:7002',
      {
        ...plain,
        topology: 'cluster',
        password: 'p',
        nodes: [at('a', 7000), at('b', 6379), at('c_c.d-e', 7002)],
      },
    ],
    ['rediss+cluster://a:1/0', { ...plain, topology: 'cluster', tls: true, nodes: [at('a', 1)] }],
  ])('%s', (text, url) => {
    expect(parseRedisUrl(text)).toEqual({ url, problems: [] })
  })
})

describe('what is wrong, and what would be right', () => {
  const shape = /^must be redis:\/\/HOST:PORT, /
  const host = /^must have a name or an address as /
  test.each<[string, ...RegExp[]]>([
    ['', shape],
    ['localhost:6379', shape],
    ['http://h', shape],
    ['redis:/h', shape],
    ['redis+proxy://h', shape],
    ['redis://h h', shape],
    ['redis://', host],
    ['redis://:6379', host],
    ['redis://::1:6379', host],
    ['redis://[::g]:6379', host],
    ['redis://h:0', /port from 1 to 65535 at its host, or none for 6379/],
    ['redis://h:65536', /port from 1 to 65535/],
    ['redis://h:', /port from 1 to 65535/],
    ['redis://a:1,b:2', /names several hosts.*redis\+sentinel:\/\/ or redis\+cluster:\/\//],
    ['redis://h/one', /number of a database/],
    ['redis://h/1/2', /number of a database/],
    ['redis://h?db=1', /takes no \? and no #/],
    ['redis://h#x', /takes no \? and no #/],
    ['redis://u:%zz@h', /percent-encoded/],
    ['redis+sentinel://h', /name under which the Sentinels know the master/],
    ['redis+sentinel://h/', /name under which the Sentinels know the master/],
    ['redis+sentinel://h:0/m', /or none for 26379/],
    ['redis+sentinel://h/m/x', /number of a database/],
    ['redis+cluster://h/1', /in Redis Cluster there is only 0/],
    ['redis+cluster://a,,b', /as host 2 of 3/],
    [
      'redis+sentinel://a:x,:1,b:99999',
      /as host 1 of 3/,
      /as host 2 of 3/,
      /at host 3 of 3/,
      /Sentinels know/,
    ],
  ])('%s', (text, ...expected) => {
    const { url, problems } = parseRedisUrl(text)
    expect(url).toBeNull()
    expect(problems).toHaveLength(expected.length)
    for (const [index, pattern] of expected.entries()) expect(problems[index]).toMatch(pattern)
  })

  test.each([
    'redis:/user:geheim@h',
    'redis://user:ge/heim@h',
    'redis://user:geheim@h:port',
    'redis://user:%geheim@h',
    'redis://user:geheim/@h',
    'redis://user:ge?/heim@h',
    'redis+cluster://user:geheim@h/1',
    'redis://geheim:geheim',
  ])('nothing of a password is shown: %s', (text) => {
    const { url, problems } = parseRedisUrl(text)
    expect(url).toBeNull()
    expect(problems.join()).not.toMatch(/heim/)
  })
})

test.each([
  ['redis://h:1/2', 'redis://h:1/2'],
  ['redis://user:geheim@h', 'redis://user:…@h'],
  ['rediss+cluster://:ge@heim@a:1,b:2', 'rediss+cluster://:…@a:1,b:2'],
  ['redis+sentinel://user@a/m', 'redis+sentinel://user@a/m'],
])('%s is shown without its password', (text, shown) => {
  expect(parseRedisUrl(text).problems).toEqual([])
  expect(shownRedisUrl(text)).toBe(shown)
})
