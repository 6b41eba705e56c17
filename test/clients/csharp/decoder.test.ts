import { differentialSuite } from '../support/differential-suite.ts'
import { goldenSuite } from '../support/golden-suite.ts'
import { csharpRunner } from './csharp-runner.ts'

await goldenSuite(csharpRunner)
await differentialSuite(csharpRunner)
