import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeClientModel } from '../../../src/clients/client-model.ts'
import { writeClients } from './compile.ts'

/** What a bundler leaves out of a game that uses one thing of its clients, by the bundler of Vite. */

/** Markers in the texts tell parts from one another, in whatever names a bundler gives them. */
function markedModel(modelId: string) {
  return describeClientModel({
    tenantId: 'studio',
    modelId,
    record: {
      kind: { type: 'enum', values: [`${modelId}-value`, 'other'] },
      text: { type: 'string', maxBytes: 30, default: `${modelId}-older`, since: 2 },
    },
    key: [{ query: `${modelId}-parameter`, values: [`${modelId}-parameter-value`] }],
    defaultRecord: { kind: 'other', text: `${modelId}-built-in` },
    deadlineMs: 50,
  })
}

const decoderParts = (modelId: string) => [`${modelId}-value`, `${modelId}-older`]
const queryParts = (modelId: string) => [`${modelId}-parameter`, `${modelId}-parameter-value`]
const defaultPart = (modelId: string) => `${modelId}-built-in`
const fetcherPart = 'application/vnd.recgate.packed'
const parts = [
  ...['games', 'offer'].flatMap((id) => [...decoderParts(id), ...queryParts(id), defaultPart(id)]),
  fetcherPart,
]

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-shaking-'))
  await writeClients(['games', 'offer'].map(markedModel), directory)
})

afterAll(() => rm(directory, { recursive: true }))

/** The bundle of such a program. */
async function bundleOf(...lines: readonly string[]): Promise<string> {
  const input = join(directory, 'entry.ts')
  await writeFile(input, lines.join('\n'))
  const bundle = await rolldown({ input })
  const { output } = await bundle.generate({ format: 'es' })
  await bundle.close()
  expect(output.length).toBe(1)
  return output[0].code
}

/** Which of them it has; none is another one's beginning but with a hyphen behind it. */
function partsIn(code: string): string[] {
  return parts.filter((part) => new RegExp(`${part.replaceAll('.', '\\.')}(?!-)`).test(code))
}

const games = './0/studio.games.ts'
const offer = './1/studio.offer.ts'
const fetcher = './0/recgate-fetcher.ts'

test('a program that decodes one model has that decoder, and neither a fetcher, a query nor a default record', async () => {
  const code = await bundleOf(
    `import { decodeGames } from '${games}'`,
    'console.log(decodeGames(new Uint8Array()))',
  )
  expect(partsIn(code)).toEqual(decoderParts('games'))
})

test('clients that nothing is used of leave nothing behind', async () => {
  const code = await bundleOf(
    `import '${games}'`,
    `import * as everything from './clients.ts'`,
    `import { createFetcher } from '${fetcher}'`,
    'console.log(1)',
  )
  expect(code.replace(/^\/\/.*$/gm, '').trim()).toBe('console.log(1);')
})

test('a program that fetches one model has all of that, and nothing of the other', async () => {
  const lines = [
    `import { createFetcher } from '${fetcher}'`,
    `import { gamesModel } from '${games}'`,
    `import { offerModel } from '${offer}'`,
    `console.log(createFetcher(gamesModel, { baseUrl: 'https://recommendations.example', token: () => '' }))`,
  ]
  expect(partsIn(await bundleOf(...lines))).toEqual([
    ...decoderParts('games'),
    ...queryParts('games'),
    defaultPart('games'),
    fetcherPart,
  ])
  expect(partsIn(await bundleOf(...lines, 'console.log(offerModel)'))).toEqual(parts)
})
