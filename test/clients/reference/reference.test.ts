import { differentialSuite } from '../support/differential-suite.ts'
import { goldenSuite } from '../support/golden-suite.ts'
import { referenceRunner } from './reference-runner.ts'

await goldenSuite(referenceRunner)
await differentialSuite(referenceRunner)
