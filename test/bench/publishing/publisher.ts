import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { model, tenant, version } from './bench-studio.ts'

const cli = fileURLToPath(new URL('../../../src/cli.ts', import.meta.url))

/** `recgate publish` as a studio runs it. The most memory that it had is Linux' own account. */
export async function publishInProcess(
  url: string,
  file: string,
): Promise<{ readonly seconds: number; readonly residentBytesMax: number | null }> {
  const startedAt = performance.now()
  const child = spawn(
    process.execPath,
    [cli, 'publish', file, '--tenant', tenant, '--model', model, '--version', version],
    { env: { ...process.env, RECGATE_REDIS_URL: url }, stdio: ['ignore', 'ignore', 'inherit'] },
  )
  let residentBytesMax: number | null = null
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    const kilobytes = /^VmHWM:\s+(\d+)/m.exec(status)?.[1]
    if (kilobytes !== undefined) residentBytesMax = Number(kilobytes) * 1024
  }, 50)
  const [code] = await once(child, 'exit')
  clearInterval(watch)
  if (code !== 0) throw new Error(`recgate publish ended with ${code}`)
  return { seconds: (performance.now() - startedAt) / 1000, residentBytesMax }
}
