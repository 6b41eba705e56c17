import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

/** docs/shards.md: what is to be copied from it fits together. */

const page = readFileSync(new URL('../../docs/shards.md', import.meta.url), 'utf8')

test('the Job has as many pods as shards, each with its number and the Job’s uid', () => {
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(page)!
  const { spec } = parse(text)
  const [{ args, env, volumeMounts }] = spec.template.spec.containers
  expect(spec.completionMode).toBe('Indexed')
  expect(args).toContain(`--shard=$(SHARD)/${spec.completions}`)
  const paths = new Map(
    env.map(({ name, valueFrom }: { name: string; valueFrom: { fieldRef?: { fieldPath: string } } }) => [
      name,
      valueFrom.fieldRef?.fieldPath,
    ]),
  )
  expect(paths.get('SHARD')).toBe("metadata.annotations['batch.kubernetes.io/job-completion-index']")
  expect(paths.get('RUN')).toBe("metadata.labels['batch.kubernetes.io/controller-uid']")
  const used = [...args.join(' ').matchAll(/\$\((\w+)\)/g)].map(([, name]) => name)
  expect(new Set(used)).toEqual(new Set(['SHARD', 'RUN']))
  expect(volumeMounts.map(({ name }: { name: string }) => name)).toEqual(
    spec.template.spec.volumes.map(({ name }: { name: string }) => name),
  )
})
