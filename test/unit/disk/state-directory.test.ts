import { spawn } from 'node:child_process'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  openStateDirectory,
  type StateDirectory,
  type StateDirectoryEvent,
} from '../../../src/disk/state-directory.ts'
import { until } from '../../support/until.ts'

let directory: string
let path: string
let events: StateDirectoryEvent[]
let open: StateDirectory[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-state-'))
  path = join(directory, 'deep', 'state')
  events = []
  open = []
})
afterEach(async () => {
  for (const each of open) await each.close()
  await rm(directory, { recursive: true, force: true })
})

function opened(options: { delayMs?: number; retryMs?: number } = {}): StateDirectory {
  const report = (event: StateDirectoryEvent) => events.push(event)
  const state = openStateDirectory({ path, report, delayMs: 1, retryMs: 5, ...options })
  open.push(state)
  return state
}

const asIs = (value: unknown) => value

/** Writes one value and waits until it lies there. */
async function kept(name: string, value: unknown): Promise<StateDirectory> {
  const state = opened()
  state.write(name, value)
  await state.close()
  return state
}

describe('what is written', () => {
  test('is read again, by another process that opens the directory', async () => {
    const value = { text: 'プレイヤー \n\0 "', list: [1, null, { a: false }], large: 'x'.repeat(300_000) }
    await kept('keys', value)
    expect(await opened().read('keys', asIs)).toEqual(value)
    expect(await opened().read('other', asIs)).toBeNull()
    expect(events).toEqual([])
  })

  test.skipIf(process.platform === 'win32')('is the owner’s alone, and so is the directory', async () => {
    const state = await kept('keys', {})
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(state.fileOf('keys')).mode & 0o777).toBe(0o600)
  })

  test('is listed by how its name begins; temporary and strange files are not', async () => {
    const state = opened()
    for (const name of ['tenant.b', 'tenant.a', 'keys']) state.write(name, {})
    await state.close()
    for (const name of ['.1-a.tmp', 'tenant.c', 'tenant.A.state', 'tenant. .state', 'README'])
      writeFileSync(join(path, name), 'x')
    expect(await state.names('tenant.')).toEqual(['tenant.a', 'tenant.b'])
    expect(await state.names('')).toEqual(['keys', 'tenant.a', 'tenant.b'])
  })

  test('many times in a row is one write, of the last value; the rest of a name’s way is never taken twice', async () => {
    const state = opened({ delayMs: 20 })
    for (let round = 0; round < 200; round++) state.write('keys', { round })
    await until('it was written', () => state.writes().done > 0)
    expect(state.writes()).toEqual({ done: 1, failed: 0 })
    expect(await state.read('keys', asIs)).toEqual({ round: 199 })
    for (let round = 0; round < 50; round++) {
      state.write('keys', { round })
      state.write('other', { round })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await state.close()
    expect(await state.read('keys', asIs)).toEqual({ round: 49 })
    expect(await state.read('other', asIs)).toEqual({ round: 49 })
    expect(readdirSync(path).sort()).toEqual(['keys.state', 'other.state'])
  })

  test('waits for no timer at the end, and is ignored after it', async () => {
    const state = opened({ delayMs: 3_600_000 })
    state.write('keys', 1)
    await state.close()
    state.write('keys', 2)
    await state.close()
    expect(await state.read('keys', asIs)).toBe(1)
  })

  test('by several at once in one directory is always one of the whole values', async () => {
    const writers = Array.from({ length: 4 }, () => opened({ delayMs: 0 }))
    const values = writers.map((_, index) => ({ index, text: String(index).repeat(100_000) }))
    for (let round = 0; round < 10; round++) {
      for (const [index, writer] of writers.entries()) writer.write('keys', values[index])
      await until('all have written', () => writers.every((writer) => writer.writes().done > round))
      expect(values).toContainEqual(await opened().read('keys', asIs))
    }
    expect(events).toEqual([])
  })

  test('under a name that reaches elsewhere is a fault of the caller', () => {
    const state = opened()
    for (const name of ['../keys', 'a/b', '', '.keys', 'KEYS', 'a\0', 'x'.repeat(65)])
      expect(() => state.write(name, {}), name).toThrow('is no name of a state file')
  })
})

describe('a file that can not be trusted is passed over, and named', () => {
  const header = (change: object) => (file: Buffer) => {
    const end = file.indexOf('\n')
    const changed = { ...JSON.parse(file.toString('utf8', 0, end)), ...change }
    return Buffer.concat([Buffer.from(`${JSON.stringify(changed)}\n`), file.subarray(end + 1)])
  }
  const damages: [name: string, damage: (file: Buffer) => Buffer | string, reason: RegExp][] = [
    ['empty', () => '', /^is empty$/],
    ['cut short in its value', (file) => file.subarray(0, -3), /^is not whole: \d+ of \d+ bytes are there$/],
    ['cut short in its header', (file) => file.subarray(0, 20), /^is no state file of recgate$/],
    ['longer', (file) => Buffer.concat([file, file]), /^is not whole/],
    [
      'changed in one bit',
      (file) => {
        const changed = Buffer.from(file)
        changed[file.length - 2]! ^= 1
        return changed
      },
      /^is damaged: its checksum is wrong$/,
    ],
    ['zeros, as after a power cut', (file) => Buffer.alloc(file.length), /^is no state file of recgate$/],
    ['of another checksum', header({ sha256: 'x' }), /^is damaged/],
    ['of a coming format', header({ format: 2 }), /^is of format 2, and this recgate reads format 1$/],
    ['something else in JSON', () => '{"keys":[]}\n', /^is no state file of recgate$/],
    ['no header', () => 'null\nnull', /^is no state file of recgate$/],
    ['one endless line', () => 'x'.repeat(100_000), /^is no state file of recgate$/],
    ['what is not to be there', (file) => file, /^holds no keys$/],
  ]

  test.each(damages)('%s', async (name, damage, reason) => {
    const state = await kept('keys', { keys: ['a'.repeat(50)] })
    await kept('intact', 'intact')
    const file = state.fileOf('keys')
    writeFileSync(file, damage(readFileSync(file)))
    const check = (value: unknown) => {
      if (name === 'what is not to be there') throw new Error('holds no keys')
      return value
    }
    expect(await state.read('keys', check)).toBeNull()
    expect(events).toEqual([{ event: 'passed-over', file, reason: expect.stringMatching(reason) }])
    expect(await state.read('intact', asIs)).toBe('intact')
    // The next write makes it whole.
    await kept('keys', 'new')
    expect(await state.read('keys', asIs)).toBe('new')
  })

  test('another’s file under its name', async () => {
    const state = await kept('tenant.a', { tenantId: 'a' })
    renameSync(state.fileOf('tenant.a'), state.fileOf('tenant.b'))
    expect(await state.read('tenant.b', asIs)).toBeNull()
    expect(events).toEqual([
      {
        event: 'passed-over',
        file: state.fileOf('tenant.b'),
        reason: 'is the file of "tenant.a" under another name',
      },
    ])
  })

  test('a directory in its place, and a directory that is gone', async () => {
    const state = await kept('keys', 1)
    rmSync(state.fileOf('keys'))
    mkdirSync(state.fileOf('keys'))
    expect(await state.read('keys', asIs)).toBeNull()
    expect(events).toMatchObject([{ event: 'passed-over', file: state.fileOf('keys'), reason: /EISDIR/ }])
    rmSync(path, { recursive: true })
    expect(await state.names('')).toEqual([])
    expect(events[1]).toMatchObject({ event: 'passed-over', file: path })
  })
})

describe('a directory', () => {
  test('that can not be there, or not be written, is refused at once, by its name', async () => {
    const inTheWay = join(directory, 'file')
    writeFileSync(inTheWay, '')
    for (path of [inTheWay, join(inTheWay, 'state')])
      expect(() => opened()).toThrow(`${path} can't be written: `)
  })

  test.skipIf(process.platform !== 'linux')('that no file system takes is refused at once, too', () => {
    // In /proc the directory above is there, and what is below is said not to be: Node's own way never ended.
    for (path of ['/proc/recgate', '/proc/recgate/deep/state'])
      expect(() => opened()).toThrow(`${path} can't be written: ENOENT`)
  })

  test('that goes away costs one event, is tried on, and told when it is back', async () => {
    const state = opened()
    rmSync(path, { recursive: true })
    state.write('keys', 1)
    state.write('other', 1)
    await until('it was tried several times', () => state.writes().failed >= 6)
    state.write('keys', 2)
    expect(events).toEqual([
      { event: 'write-failed', file: state.fileOf('keys'), reason: expect.stringMatching(/ENOENT/) },
    ])
    mkdirSync(path)
    await until('both are there', () => state.writes().done === 2)
    expect(await state.read('keys', asIs)).toBe(2)
    expect(await state.read('other', asIs)).toBe(1)
    expect(events.slice(1)).toEqual([{ event: 'write-resumed' }])
  })

  test('one file that can not be written keeps no other from it', async () => {
    const state = opened()
    mkdirSync(join(state.fileOf('keys'), 'full'), { recursive: true })
    state.write('keys', 1)
    state.write('other', 1)
    await until('the other is written', () => state.writes().done === 1)
    expect(await state.read('other', asIs)).toBe(1)
    await until('the one was tried again', () => state.writes().failed >= 2)
    // No try is under way any more.
    await state.close()
    // A directory can't take the place of the file: nothing is left behind by the tries.
    expect(readdirSync(path).sort()).toEqual(['keys.state', 'other.state'])
  })

  test('loses the temporary files of dead writers when it is opened, not those just written', () => {
    opened()
    const [old, fresh] = [join(path, '.1-old.tmp'), join(path, '.1-new.tmp')]
    for (const file of [old, fresh]) writeFileSync(file, 'half')
    const hourAgo = new Date(Date.now() - 3_600_000)
    utimesSync(old, hourAgo, hourAgo)
    opened()
    expect(readdirSync(path)).toEqual(['.1-new.tmp'])
  })
})

describe('a writer that is killed', () => {
  const writer = fileURLToPath(new URL('../../support/state-writer.ts', import.meta.url))

  test('in the midst of writing leaves files that are whole, old or new', async () => {
    const state = opened()
    let highest = 0
    for (let kill = 0; kill < 8; kill++) {
      const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = new Promise((resolve) => child.once('exit', resolve))
      let printed = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text
      })
      // It says each round that is on the disk. After some, the next sign of a file that changes is the midst of a write.
      await until('it has written', () => printed.split('\n').length > 1 + (kill % 3))
      const watcher = watch(path, () => child.kill('SIGKILL'))
      await exited
      watcher.close()
      const known = Number(printed.trimEnd().split('\n').at(-1))
      const check = (value: unknown) => value as { round: number; text: string }
      for (const name of ['tenant.a', 'tenant.b']) {
        const found = await state.read(name, check)
        expect(found?.text.length).toBe(4_000_000)
        expect(new Set(found?.text)).toEqual(new Set([String(found!.round % 10)]))
        // What was said to be there is there, or something newer.
        expect(found?.round).toBeGreaterThanOrEqual(name === 'tenant.a' ? known : known - 1)
        highest = Math.max(highest, found!.round)
      }
      expect(await state.names('tenant.')).toEqual(['tenant.a', 'tenant.b'])
    }
    expect(highest).toBeGreaterThan(0)
    expect(events).toEqual([])
    // Eight processes that write megabytes, on however slow a disk.
  }, 120_000)
})
