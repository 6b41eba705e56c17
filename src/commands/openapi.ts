import { defaultServer, describeDataPlane } from '../http/openapi/describe-data-plane.ts'
import { packageVersion } from '../package-version.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

/**
 * `recgate openapi`: the data plane's OpenAPI document.
 *
 * @param server where clients reach the data plane
 */
export function printOpenApi(server: string = defaultServer): void {
  const description = { version: packageVersion(), server: withoutSlash(server) }
  print(JSON.stringify(describeDataPlane(description), null, 2))
}

/** Paths are added to it. Throws UsageError where that can't make a URL. */
function withoutSlash(server: string): string {
  const url = URL.parse(server)
  const isPlain =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === '' &&
    !/[?#{}]/.test(server)
  if (!isPlain)
    throw new UsageError(
      '--server must be an http or https URL that paths can be added to, e.g. https://recommend.studio.example',
    )
  return server.replace(/\/+$/, '')
}
