import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateCsharp } from '../../../src/clients/csharp/generate-csharp.ts'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { compileProgram, missingMono, programFile, put } from '../../clients/csharp/mono.ts'
import { runMono } from '../../clients/csharp/mono-process.ts'
import { sampleModels } from '../../clients/support/sample-models.ts'
import { gamesRecord, playerRecord } from '../../http/games.ts'
import { median, range } from '../statistics.ts'

/**
 * `node test/bench/clients/csharp.ts`: nanoseconds a record of the sample studio's games on mono, read by the generated
 * decoder, beside the two JSON parsers that come with mono. All read the same 1,000 records in turn, in repetitions that
 * alternate, so that whatever else the machine does meets all; a ratio is of one repetition's two times. Mono compiles
 * plainly: IL2CPP's C++ is faster, for all of them.
 */
const repetitions = Number(process.env['BENCH_REPETITIONS'] ?? 9)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 500)

const missing = await missingMono()
if (missing !== null) throw new Error(`it takes ${missing}`)

const directory = await mkdtemp(join(tmpdir(), 'recgate-csharp-bench-'))
try {
  const codec = compileRecordSchema(recordSchemaDocument.parse(gamesRecord))
  const packed = Array.from({ length: 1_000 }, (_, index) => codec.encode({ ...playerRecord(index, 1) }))
  const texts = packed.map((bytes) => codec.toJsonText(bytes))
  const lines = packed.map((bytes, index) => `${Buffer.from(bytes).toString('hex')}\t${texts[index]}\n`)
  const records = await put(directory, 'records.txt', lines.join(''))
  const games = (await sampleModels()).find(({ modelId }) => modelId === 'games')!
  const [decoder] = generateCsharp(games)
  const output = join(directory, 'bench.exe')
  await compileProgram({
    output,
    files: [await put(directory, decoder!.path, decoder!.text), programFile('decode-bench.cs')],
    references: ['System.Web.Extensions.dll', 'System.Runtime.Serialization.dll'],
  })
  const printed = await runMono(output, [records, String(repetitions), String(rounds)])
  const times = printed
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
  const column = (index: number) => times.map((time) => time[index]!)
  const ratio = (index: number) => range(times.map((time) => time[index]! / time[0]!))
  const bytesOf = (all: readonly { readonly length: number }[]) => median(all.map(({ length }) => length))
  process.stdout.write(`mono 6.8, ${repetitions} repetitions, median (least–greatest)
generated decoder            ${range(column(0))} ns a record of ${bytesOf(packed)} bytes
JavaScriptSerializer         ${range(column(1))} ns a record of ${bytesOf(texts)} characters
DataContractJsonSerializer   ${range(column(2))} ns a record of ${bytesOf(texts)} bytes
JavaScriptSerializer / decoder         ${ratio(1)}
DataContractJsonSerializer / decoder   ${ratio(2)}
`)
} finally {
  await rm(directory, { recursive: true })
}
