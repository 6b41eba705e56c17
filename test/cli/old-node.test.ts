import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

/** What `node dist/cli.js` says under a Node that can't run it: the machine's own, where that is older. */

const needed = JSON.parse(await readFile('package.json', 'utf8')).engines.node.slice(2) as string
const old = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path) && isOld(path))
if (old === undefined)
  process.stderr.write(`tests: an older Node is skipped; /usr/bin/node below ${needed} enables it\n`)

function versionOf(path: string): string {
  return execFileSync(path, ['--version'], { encoding: 'utf8' }).trim().slice(1)
}

function isOld(path: string): boolean {
  return Number(versionOf(path).split('.')[0]) < Number(needed.split('.')[0])
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recgate-old-node-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test.skipIf(old === undefined)('an older Node is told in one line which one is needed', async () => {
  await mkdir(join(directory, 'dist'))
  await copyFile('package.json', join(directory, 'package.json'))
  // As the build does, which takes seconds for all files. There is no other file: the entry must not reach for one.
  const script = stripTypeScriptTypes(await readFile('src/cli.ts', 'utf8'))
  await writeFile(join(directory, 'dist', 'cli.js'), script)
  const ended = await new Promise((resolve) =>
    execFile(old!, [join(directory, 'dist', 'cli.js'), 'serve'], (error, stdout, stderr) =>
      resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
    ),
  )
  expect(ended).toEqual({
    exitCode: 1,
    stdout: '',
    stderr: `recgate needs Node ${needed} or later; this is ${versionOf(old!)}\n`,
  })
})
