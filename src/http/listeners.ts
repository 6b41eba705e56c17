import type { FastifyInstance } from 'fastify'
import { OperationError } from '../domain/errors.ts'
import { closerOf } from './close-listener.ts'

interface Listener<Name extends string> {
  readonly name: Name
  readonly app: FastifyInstance
  /** Where it is to be; port 0 is a free one. */
  readonly at: { readonly host: string; readonly port: number }
  /** What the port is called where people set it. */
  readonly setting: string
}

/** The listeners of one process, which begin and end together. */
export interface Listeners<Name extends string> {
  /** Answers where each one is. Throws OperationError where one can't be bound. */
  bind(): Promise<Readonly<Partial<Record<Name, string>>>>
  isBound(): boolean
  /** The end begins: requests are still answered, and whoever asks `isDraining` tells clients to go elsewhere. */
  drain(): void
  isDraining(): boolean
  /** Ends them within a bound, whatever their clients do, also while they are just being bound. */
  close(): Promise<void>
}

function unboundReason({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'is in use; another process listens there'
  if (code === 'EACCES') return 'may not be listened on by this user'
  return `can't be listened on: ${message}`
}

export function createListeners<Name extends string>(listeners: readonly Listener<Name>[]): Listeners<Name> {
  const closers = listeners.map(({ app }) => closerOf(app))
  let binding: Promise<void> = Promise.resolve()
  let isBound = false
  let isDraining = false

  return {
    async bind() {
      const addresses: Partial<Record<Name, string>> = {}
      const bindAll = async () => {
        for (const { name, app, at, setting } of listeners) {
          // Fastify writes into its options; settings are frozen.
          const listening = app.listen({ host: at.host, port: at.port })
          addresses[name] = await listening.catch((cause: NodeJS.ErrnoException) => {
            throw new OperationError(`${setting}: ${at.host}:${at.port} ${unboundReason(cause)}`, { cause })
          })
        }
      }
      binding = bindAll()
      await binding
      isBound = true
      return addresses
    },
    isBound: () => isBound,
    drain() {
      isDraining = true
    },
    isDraining: () => isDraining,
    async close() {
      // One that is just being bound would outlive its close.
      await binding.catch(() => undefined)
      await Promise.all(closers.map((close) => close()))
    },
  }
}
