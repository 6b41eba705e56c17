import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { type ClientModel, describeClientModel } from '../../../src/clients/client-model.ts'
import { checkTenantDocument } from '../../../src/domain/tenant-document.ts'

/** The demo's models, of config/demo/tenant.yaml. */
export async function sampleModels(): Promise<ClientModel[]> {
  const yaml = await readFile(new URL('../../../config/demo/tenant.yaml', import.meta.url), 'utf8')
  const { tenant, models } = checkTenantDocument(parse(yaml)).document!
  return Object.entries(models).map(([modelId, { record, key, deadlineMs, default: given }]) =>
    describeClientModel({
      tenantId: tenant,
      modelId,
      record,
      key,
      defaultRecord: given === 'none' ? null : given,
      deadlineMs,
    }),
  )
}
