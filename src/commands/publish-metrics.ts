import { writeWhole } from '../disk/write-whole.ts'
import { limits } from '../domain/limits.ts'
import { type FinishedPublish, type PublishedVersion, publishMetrics } from '../metrics/publish-metrics.ts'
import { pushgatewayFault, pushMetrics } from '../metrics/pushgateway.ts'
import { note } from './output.ts'
import { UsageError } from './usage-error.ts'

/** Options of `recgate publish` that say who is told how it went. */
export interface PublishMetricsOptions {
  /** For node_exporter's textfile collector. */
  readonly metricsFile: string | undefined
  /** A Pushgateway's URL. */
  readonly pushMetrics: string | undefined
}

/** A textfile collector runs as another user. */
const readableByAll = 0o644

/**
 * Where a publish's metrics go. Nothing is told yet. Telling rejects nothing: a publish doesn't fail, and doesn't become
 * one that failed for another reason, because nobody could be told. Throws UsageError.
 */
export function metricsTeller(
  options: PublishMetricsOptions & PublishedVersion,
): (finished: FinishedPublish) => Promise<void> {
  const { metricsFile } = options
  // A variable that is set to nothing counts as none, as with settings.
  const url = options.pushMetrics === '' ? undefined : options.pushMetrics
  const fault = url === undefined ? null : pushgatewayFault(url)
  if (fault !== null) throw new UsageError(`--push-metrics: ${fault}`)
  return async (finished) => {
    if (metricsFile === undefined && url === undefined) return
    const registry = publishMetrics(options, finished)
    const timeoutMs = limits.metricsPushMsMax
    await Promise.all([
      metricsFile === undefined
        ? null
        : told('could not be written to', metricsFile, async () =>
            writeWhole(metricsFile, [Buffer.from(await registry.metrics())], readableByAll),
          ),
      url === undefined
        ? null
        : told('could not be pushed to', new URL(url).host, () =>
            pushMetrics(registry, url, options, { timeoutMs }),
          ),
    ])
  }
}

async function told(failure: string, where: string, tell: () => Promise<void>): Promise<void> {
  await tell().catch((error: Error) => note(`warning: the metrics ${failure} ${where}: ${error.message}`))
}
