/**
 * Puts the routes of every interface on one service, and gives each interface its form of error.
 */
import type { FastifyInstance } from 'fastify'
import type { Problem, ServiceOptions } from '../../../../serve/http.ts'
import { edgeinferContract } from '../../contract.ts'
import { schemaHint } from '../../window/layout.ts'
import { addDocumentRoutes } from './documents.ts'
import { addInferRoutes } from './infer.ts'
import { addKserveRoutes } from './kserve.ts'
import type { Sidecar, SidecarOptions } from '../sidecar.ts'
import { addStatusRoutes, statusPaths } from './status.ts'
import { addStreamRoute } from './stream.ts'

const { service } = edgeinferContract()

/** Limits and error forms of the service. */
export const serviceOptions = (
  o: SidecarOptions,
  onProblem: (problem: Problem, path: string) => void,
): ServiceOptions => ({
  bodyBytesMax: service.bodyBytesMax,
  bodyTimeoutMs: o.bodyTimeoutMs ?? service.slowBodyMs,
  headersTimeoutMs: o.headersTimeoutMs ?? service.slowHeadersMs,
  whileDraining: statusPaths,
  onProblem,
  ...(o.log ? { log: o.log } : {}),
  errorBody: (problem, requestId, path) =>
    // KServe's protocol has a string where everybody else has an object.
    /^\/v2(\/|$)/.test(path)
      ? { error: `${problem.code}: ${problem.message}` }
      : {
          error: {
            code: problem.code,
            message: problem.message,
            schema_hint: schemaHint,
            ...problem.details,
            request_id: requestId,
          },
        },
})

/** Add every route. */
export async function addRoutes(app: FastifyInstance, sidecar: Sidecar): Promise<void> {
  addStatusRoutes(app, sidecar)
  await addInferRoutes(app, sidecar)
  await addKserveRoutes(app, sidecar)
  await addStreamRoute(app, sidecar)
  addDocumentRoutes(app)
}
