/** What a fetcher needs of a model; the decoder file of each has it. */
export interface FetchedModel<Rec, Query, BuiltIn> {
  readonly model: string
  /** `country=DE&platform=pc`. @throws where a parameter doesn't fit, with a message that says which and what would */
  query(parameters: Query): string
  /** @throws where the bytes aren't a record, with a `code` */
  decode(packed: Uint8Array): Rec
  /** The model's default record as it was when the client was generated; null where it has none. */
  builtIn(): BuiltIn
}

export interface FetcherOptions {
  /** Where the gateway is: `https://recommendations.example`, with a path where it stands under one. */
  readonly baseUrl: string
  /** The player's token. `refresh` is true once, after the gateway said that the last one has expired. */
  readonly token: (refresh: boolean) => string | Promise<string>
  /** For everything together, tries and waits included; 5,000 without it. */
  readonly deadlineMs?: number | undefined
  /** How long the gateway may look for the player's own record, 5 or more; without it the model's own time. */
  readonly gatewayDeadlineMs?: number | undefined
  /** Says which model is meant, as tokens for several need it; true without it. */
  readonly sendModel?: boolean | undefined
  /** Whether the last record that came may stand in where no answer does; true without it. */
  readonly useKept?: boolean | undefined
  /** In place of the platform's own. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
}

/** A record, and what the studio's analytics want to know of it. */
export interface Recommendation<Rec> {
  /** Null only where `source` is `none`. No other answer has the same object, so it may be changed. */
  readonly record: Rec
  /**
   * Who gave it: the gateway, now; the gateway, for an earlier request of the same parameters; the generated client,
   * whose default record it is; or nobody, since the model has no default record.
   */
  readonly source: 'gateway' | 'kept' | 'built-in' | 'none'
  /** The player's arm of the experiment, as the answer named it; null where there was none. */
  readonly version: string | null
  /** The gateway's (`split`, `override`, `sibling`, `stale`, `default`, and others to come), or `kept`, `built-in`. */
  readonly reason: string | null
  /** Of the last answer; null where none came. */
  readonly status: number | null
  /** Why the gateway gave no record; null where it did. */
  readonly error: FetchError | null
}

export interface FetchError {
  /**
   * The gateway's, such as `token-invalid`; the decoder's, such as `packed-truncated`; or the fetcher's own: `network`,
   * `deadline`, `token-callback`, `parameter-invalid`, `answer-unexpected`.
   */
  readonly code: string
  /** For people. */
  readonly detail: string
}

/** For one player: another one's token needs a fetcher of its own, or would get the first one's records. */
export interface Fetcher<Rec, Query, BuiltIn> {
  /** Never rejects. */
  recommend(parameters: Query): Promise<Recommendation<Rec | BuiltIn>>
}

/** What a gateway gave, and what is kept of it: packed, so that each caller gets a record that is nobody else's. */
interface Answer {
  readonly packed: Uint8Array
  readonly etag: string | null
  readonly version: string | null
  readonly reason: string | null
}

const packedType = 'application/vnd.recgate.packed'
/** Sets of parameters whose last records are kept. */
const keptMax = 32
const deadlineMsDefault = 5_000
/** Far more than any record or problem has: what is longer comes from somebody else. */
const bodyBytesMax = 65_536
/** Later timers fire at once. */
const timerMsMax = 2_147_483_647

/** @throws {RangeError} where an option can't be meant */
export function createFetcher<Rec, Query, BuiltIn>(
  model: FetchedModel<Rec, Query, BuiltIn>,
  options: FetcherOptions,
): Fetcher<Rec, Query, BuiltIn> {
  const { baseUrl, deadlineMs = deadlineMsDefault, sendModel = true, useKept = true } = options
  checkOptions(options)
  const address = `${baseUrl.replace(/\/+$/, '')}/recommendations`
  const answers = new Map<string, Answer>()

  function keep(query: string, answer: Answer): void {
    answers.delete(query)
    answers.set(query, answer)
    for (const oldest of answers.keys()) {
      if (answers.size <= keptMax) return
      answers.delete(oldest)
    }
  }

  function standIn(query: string | null, error: Failure): Recommendation<Rec | BuiltIn> {
    const { status, code, message } = error
    const why = { status, error: { code, detail: message } }
    const kept = useKept && query !== null ? answers.get(query) : undefined
    if (kept !== undefined) {
      const { packed, version } = kept
      return { record: model.decode(packed), source: 'kept', version, reason: 'kept', ...why }
    }
    const record = model.builtIn()
    if (record === null) return { record, source: 'none', version: null, reason: null, ...why }
    return { record, source: 'built-in', version: null, reason: 'built-in', ...why }
  }

  async function ask(query: string): Promise<Recommendation<Rec>> {
    const named = sendModel ? [`model=${encodeURIComponent(model.model)}`] : []
    const parts = query === '' ? named : [...named, query]
    const url = parts.length === 0 ? address : `${address}?${parts.join('&')}`
    const { status, answer } = await withDeadline(deadlineMs, (deadline) =>
      answerTo(url, options, answers.get(query), deadline),
    )
    const { packed, version, reason } = answer
    const record = decoded(model, packed)
    keep(query, answer)
    return { record, source: 'gateway', version, reason, status, error: null }
  }

  return {
    async recommend(parameters) {
      let query: string | null = null
      try {
        query = queryOf(model, parameters)
        return await ask(query)
      } catch (error) {
        return standIn(query, failureOf(error, 'answer-unexpected', null))
      }
    },
  }
}

function checkOptions({ baseUrl, deadlineMs, gatewayDeadlineMs }: FetcherOptions): void {
  if (!/^https?:\/\/[^?#]+$/.test(baseUrl))
    throw new RangeError(`baseUrl ${baseUrl}: must be http(s)://HOST, without query and fragment`)
  if (deadlineMs !== undefined && !(deadlineMs > 0 && deadlineMs <= timerMsMax))
    throw new RangeError(`deadlineMs ${deadlineMs}: must be above 0, and at most ${timerMsMax}`)
  if (gatewayDeadlineMs === undefined) return
  if (!(Number.isInteger(gatewayDeadlineMs) && gatewayDeadlineMs >= 5 && gatewayDeadlineMs <= 999_999_999))
    throw new RangeError(`gatewayDeadlineMs ${gatewayDeadlineMs}: must be whole, from 5 to 999999999`)
}

/** Why there is no record. */
class Failure extends Error {
  readonly code: string
  readonly status: number | null

  constructor(code: string, detail: string, status: number | null) {
    super(detail)
    this.code = code
    this.status = status
  }
}

function failureOf(error: unknown, code: string, status: number | null): Failure {
  if (error instanceof Failure) return error
  return new Failure(code, error instanceof Error ? error.message : String(error), status)
}

function queryOf<Query>(model: { query(parameters: Query): string }, parameters: Query): string {
  try {
    return model.query(parameters)
  } catch (error) {
    throw failureOf(error, 'parameter-invalid', null)
  }
}

function decoded<Rec>(model: { decode(packed: Uint8Array): Rec }, body: Uint8Array): Rec {
  try {
    return model.decode(body)
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    throw failureOf(error, typeof code === 'string' ? code : 'answer-unexpected', 200)
  }
}

/** Of one request: when it is over, and what is known of it by then. */
interface Deadline {
  readonly signal: AbortSignal
  /** Of `performance.now()`. */
  readonly at: number
  /** Of the last answer. */
  status: number | null
}

/** Whatever hangs, the platform's fetch or the callback, nobody waits for it longer than this. */
async function withDeadline<T>(ms: number, work: (deadline: Deadline) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const deadline: Deadline = { signal: controller.signal, at: performance.now() + ms, status: null }
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Failure('deadline', `no record within ${ms} ms`, deadline.status))
      controller.abort()
    }, ms)
  })
  try {
    return await Promise.race([work(deadline), over])
  } finally {
    clearTimeout(timer)
  }
}

/** Asks again once with a new token, once after `Retry-After`, and never for another reason. @throws {Failure} */
async function answerTo(
  url: string,
  options: FetcherOptions,
  kept: Answer | undefined,
  deadline: Deadline,
): Promise<{ readonly status: 200 | 304; readonly answer: Answer }> {
  const etag = kept?.etag ?? null
  let token = await tokenOf(options, false, deadline)
  let refreshed = false
  let waited = false
  for (;;) {
    const response = await send(url, options, headersOf(token, etag, options), deadline)
    const { status } = response
    deadline.status = status
    // One that nobody asked for says nothing of what is kept.
    if (status === 304 && kept !== undefined && etag !== null)
      return { status, answer: unchangedBy(response, kept) }
    const type = response.headers.get('Content-Type')?.split(';')[0]?.trim().toLowerCase()
    if (status === 200 && type === packedType) {
      const packed = await bodyOf(response)
      return { status, answer: { packed, etag: response.headers.get('ETag'), ...experimentOf(response) } }
    }
    const refusal = await refusalOf(response, type)
    if (status === 401 && refusal.code === 'token-expired' && !refreshed) {
      refreshed = true
      token = await tokenOf(options, true, deadline)
      continue
    }
    if ((status !== 429 && status !== 503) || waited) throw refusal
    const pauseMs = retryAfterMs(response)
    if (pauseMs === null || performance.now() + pauseMs >= deadline.at) throw refusal
    waited = true
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** With what a 304 says itself: caches may leave out the rest (RFC 9110 15.4.5). */
function unchangedBy(response: Response, kept: Answer): Answer {
  const { version, reason } = experimentOf(response)
  return {
    packed: kept.packed,
    etag: response.headers.get('ETag') ?? kept.etag,
    version: version ?? kept.version,
    reason: reason ?? kept.reason,
  }
}

async function tokenOf({ token }: FetcherOptions, refresh: boolean, deadline: Deadline): Promise<string> {
  const { signal, status } = deadline
  // A fetch that knows no signals may have brought the refusal after the end.
  if (signal.aborted) throw new Failure('deadline', 'no time is left', status)
  let given: string
  try {
    given = await token(refresh)
  } catch (error) {
    throw failureOf(error, 'token-callback', status)
  }
  // Anything else can't stand in a header, and would look like a failure of the network.
  if (typeof given === 'string' && /^[!-~]+$/.test(given)) return given
  throw new Failure('token-callback', 'the callback gave no token', status)
}

function headersOf(
  token: string,
  etag: string | null,
  { gatewayDeadlineMs }: FetcherOptions,
): Record<string, string> {
  const headers: Record<string, string> = { Authorization: `Bearer ${token}`, Accept: packedType }
  if (etag !== null) headers['If-None-Match'] = etag
  if (gatewayDeadlineMs !== undefined) headers['Recgate-Deadline-Ms'] = String(gatewayDeadlineMs)
  return headers
}

async function send(
  url: string,
  options: FetcherOptions,
  headers: Record<string, string>,
  { signal, status }: Deadline,
): Promise<Response> {
  // What hung until now may be the token's callback.
  if (signal.aborted) throw new Failure('deadline', 'no time is left', status)
  // The fetcher keeps answers itself; the gateway takes no cookies, and never sends a player's token elsewhere.
  const init: RequestInit = {
    headers,
    signal,
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  }
  try {
    return await (options.fetch === undefined ? fetch(url, init) : options.fetch(url, init))
  } catch (error) {
    throw failureOf(error, 'network', status)
  }
}

async function bodyOf(response: Response): Promise<Uint8Array> {
  const { status, body } = response
  const tooLong = new Failure('answer-unexpected', `${status} with more than ${bodyBytesMax} bytes`, status)
  if (Number(response.headers.get('Content-Length')) > bodyBytesMax) {
    leaveBody(response)
    throw tooLong
  }
  try {
    // Not every platform has streams: those have read it all before anybody can say how much is too much.
    const bytes = body ? await readUpTo(body, bodyBytesMax) : new Uint8Array(await response.arrayBuffer())
    if (bytes === null || bytes.length > bodyBytesMax) throw tooLong
    return bytes
  } catch (error) {
    throw failureOf(error, 'network', status)
  }
}

/** Null where there is more, of which nothing is read then. */
async function readUpTo(body: ReadableStream<Uint8Array>, bytesMax: number): Promise<Uint8Array | null> {
  const reader = body.getReader()
  const pieces: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > bytesMax) {
      reader.cancel().catch(() => undefined)
      return null
    }
    pieces.push(value)
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** Nobody reads the rest; not every platform can say so. */
function leaveBody(response: Response): void {
  response.body?.cancel().catch(() => undefined)
}

/** By its problem details (RFC 9457), where it has them: proxies answer with pages of their own. */
async function refusalOf(response: Response, type: string | undefined): Promise<Failure> {
  const { status } = response
  if (type === 'application/problem+json') {
    const body = await bodyOf(response)
    try {
      const problem = JSON.parse(new TextDecoder().decode(body)) as {
        code?: unknown
        detail?: unknown
      } | null
      const code = problem?.code
      const detail = problem?.detail
      if (typeof code === 'string')
        return new Failure(code, typeof detail === 'string' ? detail : code, status)
    } catch {
      // Not JSON: an answer like any other that nobody expected.
    }
  } else {
    leaveBody(response)
  }
  return new Failure('answer-unexpected', `${status} with ${type ?? 'no type'}, not a packed record`, status)
}

/** The gateway gives seconds; what a proxy may give else is none of them. */
function retryAfterMs(response: Response): number | null {
  const seconds = response.headers.get('Retry-After')
  return seconds !== null && /^[0-9]{1,9}$/.test(seconds) ? Number(seconds) * 1_000 : null
}

/** `Recgate: v=itemcf, r=split`; there may be more of it one day. */
function experimentOf(response: Response): Pick<Answer, 'version' | 'reason'> {
  const members = new Map<string, string>()
  for (const member of (response.headers.get('Recgate') ?? '').split(',')) {
    const [name = '', value = ''] = member.split(';')[0]!.trim().split('=')
    members.set(name, value)
  }
  return { version: members.get('v') ?? null, reason: members.get('r') ?? null }
}
