import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'

export interface ServedDirectory {
  /** Of an empty page, beside which the files are. */
  readonly url: string
  close(): Promise<void>
}

/** A directory's JavaScript on an origin of its own. */
export async function serveDirectory(directory: string): Promise<ServedDirectory> {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url!, 'http://page').pathname)
    if (path === '/') {
      response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>A game</title>')
      return
    }
    const content = await readFile(join(directory, path)).catch(() => null)
    if (content === null) response.writeHead(404).end()
    else response.setHeader('Content-Type', 'text/javascript').end(content)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
