import { type LogLine, logLine } from '../domain/log-line.ts'
import type { KeyEvent } from './fetched-key-set.ts'

/** What operators read of key servers. Never a token, a key or a URL, which may have a secret in its query. */
export function describeKeyEvent({ place, ...event }: KeyEvent): LogLine {
  const { tenantId: tenant, issuer } = place
  switch (event.event) {
    case 'failing':
      return logLine(
        'warn',
        { tenant, issuer, reason: event.reason },
        'keys can not be fetched; the last ones go on serving for a day',
      )
    case 'recovered':
      return logLine('info', { tenant, issuer }, 'keys can be fetched again')
    case 'left-out': {
      const { kid, reason } = event.key
      return logLine('warn', { tenant, issuer, kid, reason }, 'a key of the key server can not be used')
    }
  }
}
