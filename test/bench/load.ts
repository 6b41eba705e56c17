import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Load {
  readonly requests: number
  readonly requestsPerSecond: number
  /** 99th percentile. */
  readonly p99Ms: number
  readonly notOk: number
}

/** A wrk script that sends each of the requests in turn, and prints what happened as JSON. */
export async function writeLoadScript(
  directory: string,
  name: string,
  headers: readonly Readonly<Record<string, string>>[],
): Promise<string> {
  const requests = headers.map((fields) => {
    const lines = Object.entries(fields).map(([field, value]) => `${field}: ${value}\\r\\n`)
    return `"GET /recommendations HTTP/1.1\\r\\nHost: bench\\r\\n${lines.join('')}\\r\\n"`
  })
  const script = `
local requests = {${requests.join(',\n')}}
local at = 0
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"p99":%d,"notOk":%d}\\n', summary.requests,
    summary.duration, latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`
  const file = join(directory, `${name}.lua`)
  await writeFile(file, script)
  return file
}

/** One thread, closed loop: each connection sends its next request when it has its answer. */
export async function runLoad(
  url: string,
  script: string,
  { seconds, connections }: { readonly seconds: number; readonly connections: number },
): Promise<Load> {
  const settings = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url]
  const { stdout } = await promisify(execFile)('wrk', settings).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new Error('this benchmark needs wrk on PATH (Debian: apt-get install wrk)')
  })
  const text = /^RESULT (.*)$/m.exec(stdout)?.[1]
  if (text === undefined) throw new Error(`wrk printed no result:\n${stdout}`)
  const { requests, microseconds, p99, notOk } = JSON.parse(text) as Record<string, number>
  return {
    requests: requests!,
    requestsPerSecond: (requests! / microseconds!) * 1e6,
    p99Ms: p99! / 1000,
    notOk: notOk!,
  }
}
