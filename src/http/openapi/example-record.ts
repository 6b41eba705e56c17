import { compileRecordSchema } from '../../domain/codec/codec.ts'
import { recordSchemaDocument } from '../../domain/codec/record-schema.ts'
import { mediaTypes } from '../../domain/reasons.ts'
import type { Example } from './openapi-document.ts'

/** One recommendation in both forms; its model is the sample studio's. */

const codec = compileRecordSchema(
  recordSchemaDocument.parse({
    segment: {
      type: 'enum',
      values: ['newcomer', 'casual', 'regular', 'collector'],
      room: 16,
      default: 'newcomer',
    },
    hours_played: { type: 'fixed', min: 0, max: 20_000, step: 0.1 },
    games: { type: 'list', maxItems: 5, items: { type: 'uint', max: 4_095 } },
    scores: { type: 'list', maxItems: 5, items: { type: 'fixed', min: 0, max: 1, step: 0.001 } },
  }),
)

const record = { segment: 'collector', hours_played: 812.4, games: [730, 440, 10], scores: [0.981, 0.7, 0.3] }

export const jsonAnswer = { model: 'games', version: 'itemcf', reason: 'split', recommendation: record }

export const jsonExample: Example = { summary: 'A record of the player’s own version', value: jsonAnswer }

export const exampleRecord = codec.encode(record)

/** The same record; the bytes stand in the address itself, since JSON can't hold them. */
export const packedExample: Example = {
  summary: 'The same record, packed',
  externalValue: `data:${mediaTypes.packed};base64,${Buffer.from(exampleRecord).toString('base64')}`,
}
