import { refuse } from '../../domain/errors.ts'
import { limits } from '../../domain/limits.ts'

/** What the data plane itself refuses, whichever path was asked for. */

export const urlTooLong = refuse('url-too-long', `the URL must be at most ${limits.urlBytesMax} bytes`)
export const tooMuch = refuse('busy', 'there is too much to do at the moment; come back in a moment')
export const failed = refuse('internal', 'the gateway failed; it has been noted')
