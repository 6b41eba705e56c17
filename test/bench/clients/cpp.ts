import { spawn } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { generateCpp } from '../../../src/clients/cpp/generate-cpp.ts'
import { print } from '../../../src/commands/output.ts'
import { compileRecordSchema } from '../../../src/domain/codec/codec.ts'
import { recordSchemaDocument } from '../../../src/domain/codec/record-schema.ts'
import { compilers } from '../../clients/cpp/compilers.ts'
import { sampleModels } from '../../clients/support/sample-models.ts'
import { gamesRecord, playerRecord, range as playersUpTo } from '../../http/games.ts'
import { median, range } from '../statistics.ts'

/**
 * `node test/bench/clients/cpp.ts`: what the generated C++ decoder takes for a record of the sample studio, beside
 * RapidJSON reading the same record's JSON into the same struct (apt-get install g++ rapidjson-dev). BENCH_RECORDS and
 * BENCH_REPETITIONS change the run.
 */

const records = Number(process.env['BENCH_RECORDS'] ?? 1_000_000)
const repetitions = Number(process.env['BENCH_REPETITIONS'] ?? 7)
/** More than one, so that no branch is foreseen by heart. */
const players = 256

const directory = await mkdtemp(join(tmpdir(), 'recgate-bench-cpp-'))
try {
  for (const compiler of compilers) {
    const missing = await compiler.missing()
    if (missing !== null) print(`left out for want of ${missing}`)
    else print(describe(compiler.command, await measure(await buildProgram(compiler))))
  }
} finally {
  await rm(directory, { recursive: true })
}

async function buildProgram(compiler: (typeof compilers)[number]): Promise<string> {
  const model = (await sampleModels()).find(({ modelId }) => modelId === 'games')!
  for (const file of generateCpp(model)) await writeFile(join(directory, file.path), file.text)
  const source = join(directory, 'decode.cpp')
  await copyFile(fileURLToPath(new URL('decode.cpp', import.meta.url)), source)
  const program = join(directory, compiler.command)
  await compiler.build([source], program, { flags: ['-O2'] })
  return program
}

/** Nanoseconds a record, packed and as JSON, of each repetition. */
async function measure(program: string): Promise<(readonly [packed: number, json: number])[]> {
  const codec = compileRecordSchema(recordSchemaDocument.parse(gamesRecord))
  const lines = playersUpTo(players).map((player) => {
    const packed = codec.encode({ ...playerRecord(player, 1) })
    return `${Buffer.from(packed).toString('hex')} ${codec.toJsonText(packed)}\n`
  })
  const child = spawn(program, [String(records), String(repetitions)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  child.stdin.end(lines.join(''))
  const [told, code] = await Promise.all([text(child.stdout), ended])
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
  return told
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').map(Number) as [number, number])
}

function describe(command: string, timed: readonly (readonly [packed: number, json: number])[]): string {
  const packed = timed.map(([ns]) => ns)
  const json = timed.map(([, ns]) => ns)
  const ratio = timed.map(([one, other]) => other / one)
  return [
    `C++, ${command} -O2, ${cpus().length} × ${cpus()[0]?.model}, ${records} records, ${repetitions} repetitions in turns`,
    `packed ${range(packed)} ns a record, RapidJSON ${range(json)} ns: ${range(ratio)} times as long (medians ${median(packed).toFixed(0)} and ${median(json).toFixed(0)})`,
  ].join('\n')
}
