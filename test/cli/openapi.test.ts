import { expect, test } from 'vitest'
import { defaultServer, describeDataPlane } from '../../src/http/openapi/describe-data-plane.ts'
import { packageVersion } from '../../src/package-version.ts'
import { runCli } from '../support/cli.ts'

/** `recgate openapi`: the document that the admin plane has, too; test/unit/http/openapi/ shows what stands in it. */

test('prints the document, and needs no settings', async () => {
  const { exitCode, stdout, stderr } = await runCli(['openapi'])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  const document = describeDataPlane({ version: packageVersion(), server: defaultServer })
  expect(JSON.parse(stdout)).toStrictEqual(JSON.parse(JSON.stringify(document)))
})

test.each([
  ['https://recommend.studio.example', 'https://recommend.studio.example'],
  ['https://studio.example/recommend/', 'https://studio.example/recommend'],
])('--server %s is where clients reach it', async (server, written) => {
  const { exitCode, stdout } = await runCli(['openapi', '--server', server])
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ servers: [{ variables: { server: { default: written } } }] })
})

test.each([
  'recommend.studio.example',
  'ftp://studio.example',
  'https://user:password@studio.example',
  'https://studio.example?x=1',
  'https://studio.example#x',
  'https://{studio}.example',
  '',
])('--server %j is wrong usage', async (server) => {
  const { exitCode, stdout, stderr } = await runCli(['openapi', `--server=${server}`])
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr).toContain('--server must be an http or https URL')
})
