import type { ClientProgram, ClientRunner } from '../support/client-runner.ts'
import { DecodeFault, decodeByModel } from './model-decoder.ts'

/** The plain decoder in this very process: what the suites say of it tells whether model and codec fit each other. */
export const referenceRunner: ClientRunner = {
  name: 'the plain decoder',
  missing: () => Promise.resolve(null),
  build: (models) => {
    const answer = (question: string): string => {
      const [index, asked] = question.split(' ') as [string, string]
      const model = models[Number(index)]!
      if (asked === 'default')
        return model.defaultRecord === null ? 'none' : JSON.stringify(model.defaultRecord)
      try {
        return JSON.stringify(decodeByModel(model, Buffer.from(asked === '-' ? '' : asked, 'hex')))
      } catch (error) {
        if (!(error instanceof DecodeFault)) throw error
        return `error ${error.message}`.trimEnd()
      }
    }
    const program: ClientProgram = {
      answer: (questions) => Promise.resolve(questions.map(answer)),
      close: () => Promise.resolve(),
    }
    return Promise.resolve(program)
  },
}
