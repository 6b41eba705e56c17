import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

/** Certificates for servers and clients of tests, made without any tool outside of Node. */

interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

export interface Authority {
  /** The authority's own certificate, in PEM; also at `file`. */
  readonly pem: string
  readonly file: string
  /** Signs one for the name, for `localhost` and for 127.0.0.1; good for servers and clients. */
  issue(name: string): Promise<CertificateFiles>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 86_400_000

/** Its files go into `directory`, which the caller removes. */
export async function createAuthority(directory: string, name = 'authority'): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuerName = `CN=recgate tests ${name}`
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: issuerName,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  const pem = root.toString('pem')
  const file = join(directory, `${name}.pem`)
  await writeFile(file, pem)

  async function issue(subject: string): Promise<CertificateFiles> {
    const own = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity(),
      subject: `CN=${subject}`,
      issuer: issuerName,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: subject },
          { type: 'dns', value: 'localhost' },
          { type: 'ip', value: '127.0.0.1' },
        ]),
      ],
    })
    const files = {
      certificate: join(directory, `${name}-${subject}.pem`),
      key: join(directory, `${name}-${subject}.key`),
    }
    await writeFile(files.certificate, certificate.toString('pem'))
    const pkcs8 = new Uint8Array(await crypto.subtle.exportKey('pkcs8', own.privateKey))
    await writeFile(files.key, x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'))
    return files
  }

  return { pem, file, issue }
}

function validity() {
  return { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) }
}
