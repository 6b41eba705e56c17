import { createPublicKey, webcrypto } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority } from '../../support/certificates.ts'
import type { TestKey } from '../../support/tokens.ts'

/** Serves whatever a gateway would look for, and notes that it did. */
export interface AttackerServer {
  readonly url: string
  readonly requests: readonly string[]
  /** A certificate, DER in base64, and the key that it certifies. */
  readonly certificate: { readonly x5c: string; readonly key: TestKey }
  stop(): Promise<void>
}

/** `keys` are what it serves as its JWKS. */
export async function startAttackerServer(keys: readonly TestKey[]): Promise<AttackerServer> {
  const directory = await mkdtemp(join(tmpdir(), 'recgate-attacker-'))
  const files = await (await createAuthority(directory, 'attacker')).issue('attacker')
  const [certificatePem, keyPem] = await Promise.all([
    readFile(files.certificate, 'utf8'),
    readFile(files.key, 'utf8'),
  ])
  const jwks = JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) })
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    response.end(request.url?.endsWith('.pem') ? certificatePem : jwks)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    certificate: { x5c: derOf(certificatePem), key: await certifiedKey(certificatePem, keyPem) },
    async stop() {
      await new Promise((resolve) => server.close(resolve))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function certifiedKey(certificatePem: string, keyPem: string): Promise<TestKey> {
  const curve = { name: 'ECDSA', namedCurve: 'P-256' }
  const pkcs8 = Buffer.from(derOf(keyPem), 'base64')
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, curve, true, ['sign'])
  const publicJwk = createPublicKey(certificatePem).export({ format: 'jwk' }) as TestKey['publicJwk']
  return { algorithm: 'ES256', kid: 'ES256', publicJwk, privateKey }
}

/** What stands between a PEM's lines, in one line. */
function derOf(pem: string): string {
  return pem.split('-----')[2]!.replaceAll(/\s/g, '')
}
