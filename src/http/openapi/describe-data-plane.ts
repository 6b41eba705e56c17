import { problemDetails, recommendationAnswer } from '../data/shapes.ts'
import { batchPath, batchSchema } from './batch-path.ts'
import { headerComponents } from './headers.ts'
import { healthPath } from './health-path.ts'
import { type OpenApiDocument, schemaOf } from './openapi-document.ts'
import { problemExamples } from './problems.ts'
import { recommendationsPath } from './recommendations-path.ts'

export interface DataPlaneDescription {
  /** Of the program that answers so. */
  readonly version: string
  /** Where clients reach the data plane: an origin, or a URL that paths are added to. */
  readonly server: string
}

/** Where `recgate demo` has it, and the default settings. */
export const defaultServer = 'http://127.0.0.1:8080'

/** The data plane as an OpenAPI 3.1 document, the same for every studio and model. */
export function describeDataPlane({ version, server }: DataPlaneDescription): OpenApiDocument {
  return {
    openapi: '3.1.0',
    info: {
      title: 'recgate, the data plane',
      version,
      summary: 'Recommendations that were computed beforehand, one small record a player and model.',
      description: introduction,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      {
        url: '{server}',
        description: 'The data plane (setting `data.port`), or the load balancer before it.',
        variables: { server: { default: server } },
      },
    ],
    paths: {
      '/recommendations': recommendationsPath,
      '/recommendations/batch': batchPath,
      '/healthz': healthPath,
    },
    components: {
      schemas: {
        Recommendation: schemaOf(recommendationAnswer),
        PackedRecord: {
          description:
            'The record’s stored bytes and nothing else: its schema’s revision in one byte, then the fields bit by bit (docs/packed-format.md). `recgate client json` writes a model’s fields with their bits, and `recgate client` decoders. Version and reason stand in the header `Recgate`.',
        },
        Batch: batchSchema,
        PackedBatch: {
          description:
            'The same answers as bytes, one behind the other, each with its status, version, reason or code, and packed record (docs/http.md).',
        },
        Problem: {
          description: 'Problem details (RFC 9457).',
          ...schemaOf(problemDetails),
        },
      },
      headers: headerComponents,
      examples: problemExamples,
      securitySchemes: {
        playerToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A token of one of the studio’s issuers, signed with ES256, RS256, PS256, EdDSA or HS256. Needed: `exp`, the audience, the claim of the unit (`sub` unless the studio says otherwise), the claim that names the models, and those of the model’s row key.',
        },
        serviceToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A game server’s token: signed as a player’s, with the word `recommendations:batch` in its claim `scope`. It names any player, and so no player may have one.',
        },
      },
    },
  }
}

const introduction = `Clients tolerate reasons, codes, members and headers that they don't know.

After \`token-expired\` a client refreshes its token once; after 429 and 503 it tries once more, after \`Retry-After\`; any other 4xx it never repeats.

Until a token's signature has verified there is one code, \`token-invalid\`. Any path that isn't here is answered 404 \`path-not-found\`, and at those that are here other methods get 405 \`method-not-allowed\`; that is why both stand with every operation. A breaking change gets a \`/v2\`.`
