import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { checkTenantDocument } from '../../../src/domain/tenant-document.ts'
import { playerRecord } from '../../http/games.ts'
import { loadGeneratedModel } from '../../support/typescript-client.ts'
import { median, range } from '../statistics.ts'

/**
 * `node test/bench/clients/typescript.ts`: nanoseconds a record of the sample studio's games, read by the generated
 * decoder, beside JSON.parse of the same record as text. Both read the same 1,000 records in turn, in repetitions that
 * alternate, so that whatever else the machine does meets both; a ratio is of one repetition's two times.
 */
const repetitions = 9
const rounds = 300

const input: unknown = parse(
  readFileSync(new URL('../../../config/demo/tenant.yaml', import.meta.url), 'utf8'),
)
const { document } = checkTenantDocument(input)
const codec = compileRecordSchema(document!.models['games']!.record)
const { decode } = await loadGeneratedModel(input, 'games', 'gamesModel')

const packed = Array.from({ length: 1_000 }, (_, index) => codec.encode({ ...playerRecord(index, 1) }))
const texts = packed.map((bytes) => codec.toJsonText(bytes))

const packedNs: number[] = []
const jsonNs: number[] = []
let read = 0

// The first two are for the compiler.
for (let repetition = -2; repetition < repetitions; repetition++) {
  const first = performance.now()
  for (let round = 0; round < rounds; round++) for (const bytes of packed) if (decode(bytes) !== null) read++
  const second = performance.now()
  for (let round = 0; round < rounds; round++) for (const text of texts) if (JSON.parse(text) !== null) read++
  const third = performance.now()
  if (repetition < 0) continue
  const nsPerRecord = 1e6 / (rounds * packed.length)
  packedNs.push((second - first) * nsPerRecord)
  jsonNs.push((third - second) * nsPerRecord)
}

const bytesOf = (all: readonly { readonly length: number }[]) => median(all.map(({ length }) => length))
process.stdout.write(`Node ${process.version}, ${read} records read, ${repetitions} repetitions, median (least–greatest)
generated decoder   ${range(packedNs)} ns a record of ${bytesOf(packed)} bytes
JSON.parse          ${range(jsonNs)} ns a record of ${bytesOf(texts)} characters
decoder / JSON      ${range(packedNs.map((ns, index) => ns / jsonNs[index]!))}
`)
