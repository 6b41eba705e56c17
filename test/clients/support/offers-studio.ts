import { type ClientModel, describeClientModel } from '../../../src/clients/client-model.ts'
import { checkTenantDocument } from '../../../src/domain/tenant-document.ts'
import type { StudioIssuer } from '../../http/games.ts'
import type { Site } from '../../support/site.ts'
import { publishRows, rowsOf } from '../../support/studio.ts'

/** A studio whose model has a parameter of every type, one row, and a default record. */

export const region = 'São Paulo & Söhne?'
/** Region, level and shop of the row that is published. */
export const here = [region, '7', 'a_b.c-d'] as const
export const elsewhere = ['DE', '0', 'x'] as const
export const offer = { offer: 'Grüße, 日本', price: 4.99, seen: '2026-05-06T07:08:00Z' }
export const standIn = { offer: 'welcome', price: 0.01, seen: '2026-01-01T00:00:00Z' }

export function offersDocument(
  tenant: string,
  issuer: StudioIssuer,
  more: Readonly<Record<string, unknown>> = {},
) {
  const { defaultRecord = standIn, ...root } = more
  return {
    format: 1,
    tenant,
    issuers: [issuer.entry()],
    ...root,
    models: {
      offers: {
        key: [
          { claim: 'sub' },
          { query: 'region', values: ['DE', region] },
          { query: 'level', uint: { max: 99 } },
          { query: 'shop', id: { maxBytes: 8 } },
        ],
        record: {
          offer: { type: 'string', maxBytes: 24 },
          price: { type: 'fixed', min: 0, max: 100, step: 0.01 },
          seen: { type: 'timestamp', from: '2026-01-01T00:00:00Z', resolutionSeconds: 60, bits: 24 },
        },
        default: defaultRecord,
        versions: ['plain', 'fancy'],
        control: 'plain',
        weights: { plain: 0, fancy: 100 },
        // Nothing here measures time.
        deadlineMs: 10_000,
      },
    },
  }
}

export async function publishOffer(site: Site, tenant: string): Promise<void> {
  const row = ['player-1', region, 7, 'a_b.c-d', offer.offer, offer.price, offer.seen]
  const columns = ['sub', 'region', 'level', 'shop', 'offer', 'price', 'seen']
  await publishRows(site.tools, [tenant, 'offers', 'fancy'], rowsOf(columns, [row]))
}

/** As a client is generated for it. */
export function offersModel(document: unknown): ClientModel {
  const checked = checkTenantDocument(document).document!
  const { record, key, deadlineMs, default: given } = checked.models['offers']!
  const defaultRecord = given === 'none' ? null : given
  return describeClientModel({
    tenantId: checked.tenant,
    modelId: 'offers',
    record,
    key,
    defaultRecord,
    deadlineMs,
  })
}
