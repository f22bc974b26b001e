/**
 * The routes that tell how the sidecar is: `/`, `/healthz`, `/livez`, `/readyz`, `/status`, `/metrics`, `POST /test`.
 */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { metricsContentType } from '../../../../serve/metrics.ts'
import { edgeinferContract } from '../../contract.ts'
import { windowSize } from '../../window/layout.ts'
import { deadlineOf } from './infer.ts'
import type { Sidecar } from '../sidecar.ts'

const contract = edgeinferContract()

/** Answered while the service drains. */
export const statusPaths = ['/healthz', '/livez', '/readyz', '/status', '/metrics'] as const

/** Add the routes. Fastify answers HEAD for each GET. */
export function addStatusRoutes(app: FastifyInstance, sidecar: Sidecar): void {
  app.get('/', () => ({
    service: contract.service.name,
    version: contract.service.version,
    model_ready: sidecar.notReady() === null,
    stub: sidecar.isStub,
    endpoints: ['/infer', '/healthz', '/livez', '/readyz', '/metrics', '/status', '/test', '/stream', '/v2', '/docs'],
    config: { hef_path: sidecar.modelPath(), num_motifs: sidecar.motifs, log_level: sidecar.logLevel },
  }))
  app.get('/livez', () => ({ ok: true }))
  app.get('/readyz', (_, reply) => {
    const reason = sidecar.notReady()
    return reply.code(reason === null ? 200 : 503).send(reason === null ? { ok: true } : { ok: false, reason })
  })
  app.get('/healthz', (_, reply) => answerHealth(sidecar, reply))
  app.get('/metrics', async (_, reply) => reply.type(metricsContentType).send(await sidecar.families.metrics.text()))
  app.get('/status', () => sidecar.status())
  app.post('/test', async request => {
    const window = new Float32Array(windowSize)
    const answered = await sidecar.desk.answer({ window, deadlineMs: deadlineOf(request) ?? 5000 })
    const range = (values: Float32Array) => [Math.min(...values), Math.max(...values)]
    return {
      test_status: 'passed',
      latent_shape: [answered.latent.length],
      motif_shape: [answered.motifScores.length],
      latent_range: range(answered.latent),
      motif_range: range(answered.motifScores),
      inference_time_ms: answered.seconds * 1000,
      stub: sidecar.isStub,
    }
  })
}

function answerHealth(sidecar: Sidecar, reply: FastifyReply) {
  const reason = sidecar.notReady()
  sidecar.families.health(reason === null)
  const engine = sidecar.life?.state.engine
  const last = sidecar.desk.lastSeconds
  return reply.code(reason === null ? 200 : 503).send({
    ok: reason === null,
    model: sidecar.desk.model,
    ...(reason === null ? {} : { reason }),
    uptime_s: Math.floor(sidecar.uptimeSeconds()),
    config_version: `${contract.contract}-${contract.version}-${contract.sha256.slice(0, 16)}`,
    hef_sha256: engine?.sha256.slice(0, 16) ?? null,
    version: contract.service.version,
    device: engine?.device ?? null,
    backend: sidecar.isStub ? 'stub' : (engine?.backend ?? null),
    stub: sidecar.isStub,
    latency_ms: last === null ? null : Number((last * 1000).toFixed(3)),
  })
}
