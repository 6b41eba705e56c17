import { differentialSuite } from '../support/differential-suite.ts'
import { goldenSuite } from '../support/golden-suite.ts'
import { pageRunner } from './page-runner.ts'

await goldenSuite(pageRunner)
await differentialSuite(pageRunner)
