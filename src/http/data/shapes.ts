import { z } from 'zod'
import { idPattern } from '../../domain/ids.ts'
import { limits } from '../../domain/limits.ts'
import { reasons } from '../../domain/reasons.ts'
import { retrySecondsMax } from '../problem.ts'

/**
 * What the data plane's answers look like, as zod shapes: the OpenAPI document is made from them, and a test holds a real
 * gateway's answers against it. Nothing is parsed by them while requests are answered.
 */

/**
 * A word of a list that may grow: clients tolerate words that they don't know, and so the list is no `enum`, which
 * generated clients would refuse to read beyond. `x-extensible-enum` is what several tools call such a list.
 */
export function growingList(words: readonly string[]) {
  return z.string().meta({ 'x-extensible-enum': [...words] })
}

const modelId = z.string().regex(idPattern)
const versionId = z.string().regex(idPattern)

/** A recommendation as JSON. */
export const recommendationAnswer = z.object({
  model: modelId.meta({ description: 'What is recommended.' }),
  version: versionId.meta({
    description: 'The version that the player is assigned to, always: the arm of the experiment.',
  }),
  reason: growingList(reasons).meta({
    description: 'Whose record it is. Tolerate reasons that you don’t know.',
  }),
  recommendation: z.record(z.string(), z.unknown()).meta({
    description:
      'The record, with the fields of the model’s record schema. A field that is optional and absent is left out; fields may be added.',
  }),
})

/** Every refusal (RFC 9457). */
export const problemDetails = z.object({
  type: z.literal('about:blank'),
  title: z.string().meta({ description: 'The status in words.' }),
  status: z.int().min(400).max(599).meta({ description: 'The status of the answer.' }),
  code: z.string().meta({
    description: 'What went wrong, for machines. Tolerate codes that you don’t know, going by the status.',
  }),
  detail: z.string().meta({ description: 'What went wrong, for people. Its words may change.' }),
})

/** The values of headers, as far as they differ from answer to answer. */
export const headerShapes = {
  etag: z.string().regex(/^"[A-Za-z0-9_-]{11}"$/),
  // Unbound at its end: a dictionary (RFC 8941) may get more members.
  recgate: z.string().regex(/^v=[a-z][a-z0-9_-]{0,31}, r=[a-z-]+/),
  maxAge: z.string().regex(/^private, max-age=[0-9]+$/),
  vary: z.string().regex(/^Accept, Authorization(, Origin)?$/),
  retryAfter: z.int().min(1).max(retrySecondsMax),
} as const

/** What a request may say beside its token. */
export const requestShapes = {
  model: modelId,
  /** Which there are, and of what form, is the model's to say. */
  rowKey: z.record(z.string(), z.string()),
  deadlineMs: z.int().min(limits.deadlineMsMin).max(limits.deadlineMsAskedMax),
  ifNoneMatch: z.string(),
} as const
