import { expect } from 'vitest'
import type { z } from 'zod'
import { batchAnswer, batchRequest } from '../../src/http/data/batch-shapes.ts'
import { ask, type Reply } from './client.ts'

/** `POST /recommendations/batch`, as a game server asks and reads. */

export const batchPath = '/recommendations/batch'
export const packedBatch = 'application/vnd.recgate.packed-batch'
export const batchScope = 'recommendations:batch'

type Item = z.infer<typeof batchAnswer>['items'][number]

interface AskBatch {
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a text as it is, and anything else as JSON. */
export function postBatch(
  base: string,
  body: unknown,
  { token, headers = {} }: AskBatch = {},
): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return ask(base + batchPath, {
    method: 'POST',
    ...(token === undefined ? {} : { token }),
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  })
}

/** The items of an answer in JSON, which must be in shape. */
export function itemsOf(reply: Reply): Item[] {
  expect({ status: reply.status, body: reply.status === 200 ? '' : reply.body.toString() }).toEqual({
    status: 200,
    body: '',
  })
  expect(reply.headers['content-type']).toBe('application/json')
  return batchAnswer.parse(JSON.parse(reply.body.toString())).items
}

/** The same of a batch whose units are in shape, too. */
export async function answeredBatch(
  base: string,
  body: z.infer<typeof batchRequest>,
  token: string,
): Promise<Item[]> {
  batchRequest.parse(body)
  const items = itemsOf(await postBatch(base, body, { token }))
  expect(items).toHaveLength(body.units.length)
  return items
}

interface FramedUnit {
  readonly status: number
  readonly version: string
  readonly word: string
  readonly body: Buffer
}

/** Read as docs/http.md has it. */
export function unframed(frame: Buffer): FramedUnit[] {
  let at = 0
  const take = (bytes: number): Buffer => {
    if (at + bytes > frame.length)
      throw new Error(`the frame ends at ${frame.length}, within ${at} + ${bytes}`)
    at += bytes
    return frame.subarray(at - bytes, at)
  }
  expect(take(1)[0]).toBe(1)
  const count = take(4).readUInt32BE()
  const units = Array.from({ length: count }, () => ({
    status: take(2).readUInt16BE(),
    version: take(take(1)[0]!).toString('latin1'),
    word: take(take(1)[0]!).toString('latin1'),
    body: take(take(4).readUInt32BE()),
  }))
  expect(at).toBe(frame.length)
  return units
}
