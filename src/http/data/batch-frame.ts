/**
 * The answers of a batch as bytes, `application/vnd.recgate.packed-batch`. Numbers are unsigned, most significant byte
 * first; texts are ASCII, and the detail of a refusal UTF-8:
 *
 *     byte    0   1 … 4   5 …
 *             │   │       └ items, one after the other, and nothing behind the last
 *             │   number of items: as many as units, in their order
 *             1, the format of this frame
 *
 *     item    ss  v  vvvv…  w  wwww…  bbbb  ssss…
 *             │   │  │      │  │      │     └ body
 *             │   │  │      │  │      its length in bytes, 4 bytes
 *             │   │  │      │  reason where the status is 200, else error code
 *             │   │  │      its length, 1 byte
 *             │   │  version where the status is 200
 *             │   its length, 1 byte; 0 where the status isn't 200
 *             status, 2 bytes
 *
 * The body is the packed record where the status is 200, else the refusal's detail.
 */
export interface FramedItem {
  readonly status: number
  readonly version: string
  readonly word: string
  readonly body: Uint8Array | string
}

const format = 1
const headBytes = 5
/** Status and three lengths. */
const itemHeadBytes = 8

export function frameBatch(items: readonly FramedItem[]): Uint8Array {
  const bytes = items.reduce((sum, item) => sum + bytesOf(item), headBytes)
  const frame = Buffer.allocUnsafe(bytes)
  frame.writeUInt8(format, 0)
  frame.writeUInt32BE(items.length, 1)
  let at = headBytes
  for (const { status, version, word, body } of items) {
    at = frame.writeUInt16BE(status, at)
    at = writeShort(frame, version, at)
    at = writeShort(frame, word, at)
    at = frame.writeUInt32BE(lengthOf(body), at)
    if (typeof body === 'string') at += frame.write(body, at, 'utf8')
    else {
      frame.set(body, at)
      at += body.byteLength
    }
  }
  return frame
}

function bytesOf({ version, word, body }: FramedItem): number {
  return itemHeadBytes + version.length + word.length + lengthOf(body)
}

function lengthOf(body: Uint8Array | string): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
}

/** Ids and codes have far fewer characters than the byte can count. */
function writeShort(frame: Buffer, text: string, at: number): number {
  const next = frame.writeUInt8(text.length, at)
  return next + frame.write(text, next, 'latin1')
}
