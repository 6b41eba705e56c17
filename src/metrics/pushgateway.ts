import { Pushgateway, type Registry } from 'prom-client'
import type { PublishedVersion } from './publish-metrics.ts'

/** What groups the metrics of publishes in a Pushgateway, beside tenant, model and version. */
const jobName = 'recgate_publish'

/** Characters of what a Pushgateway says against a push. */
const reasonCharactersMax = 200

/** What is wrong with a Pushgateway's URL and what would be right, without repeating its password; null where it is fine. */
export function pushgatewayFault(text: string): string | null {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return "must be a Pushgateway's URL, e.g. http://pushgateway:9091"
  if (url.search !== '' || url.hash !== '' || /\/metrics(\/|$)/.test(url.pathname))
    return `must be the Pushgateway's own URL, e.g. ${url.origin}, without /metrics, query and fragment`
  return null
}

/**
 * Replaces what the Pushgateway knows of this version's publishes.
 *
 * @param url one without a fault
 * @throws Error that says why it couldn't, without user and password
 */
export async function pushMetrics(
  registry: Registry,
  url: string,
  { tenant, model, version }: PublishedVersion,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<void> {
  // Ends the request, too: a socket that is open keeps the process alive.
  const signal = AbortSignal.timeout(timeoutMs)
  const expired = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`no answer within ${timeoutMs / 1000} s`)))
  })
  const gateway = new Pushgateway(url.replace(/\/+$/, ''), { signal }, registry)
  const pushed = gateway.push({ jobName, groupings: { tenant, model, version } })
  const { resp } = await Promise.race([pushed, expired]).catch((error: Error) => {
    throw new Error(reasonOf(error), { cause: error })
  })
  // prom-client takes a redirect for success.
  const status = (resp as { readonly statusCode?: number } | undefined)?.statusCode ?? 0
  if (status < 200 || status > 299) throw new Error(`it answered ${status}, which is no success`)
}

/** Where a name has several addresses, what failed for each is inside, and the message itself may be empty. */
function reasonOf(error: Error): string {
  const { message } = error instanceof AggregateError && error.message === '' ? error.errors[0] : error
  return (message as string).replace(/\s+/g, ' ').trim().slice(0, reasonCharactersMax)
}
