/**
 * The server that one writes first: Fastify, `JSON.parse` and `onnxruntime-node` called in the handler.
 *
 * What the sidecar is measured against. It checks nothing but the shape, keeps no telemetry and no metrics, and blocks
 * its event loop while the model runs. A process of its own; the parent's first message is the model's path.
 */
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'
import { tcnInput, tcnLatent, tcnLogits } from '../../models/tcn/graph.ts'
import { standardise, windowSize } from '../../systems/edgeinfer/window/layout.ts'

process.once('message', (model: string) => {
  void serve(model).then(url => process.send!({ url }))
})

async function serve(model: string): Promise<string> {
  const ort = await onnxruntimeNode()
  const { fastify } = await import('fastify')
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  const app = fastify({ logger: false })
  app.post('/infer', async (request, reply) => {
    const { x } = request.body as { x: number[][] }
    const window = Float32Array.from(x.flat())
    if (window.length !== windowSize) return reply.code(400).send({ error: 'shape' })
    const feed = new ort.Tensor('float32', standardise(window), [1, 100, 9])
    const results = await session.run({ [tcnInput]: feed })
    const logits = [...(results[tcnLogits]!.data as Float32Array)]
    const highest = Math.max(...logits)
    const powers = logits.map(value => Math.exp(value - highest))
    const sum = powers.reduce((total, value) => total + value, 0)
    return {
      latent: [...(results[tcnLatent]!.data as Float32Array)],
      motif_scores: powers.map(value => value / sum),
    }
  })
  process.once('disconnect', () => void app.close().then(() => process.exit()))
  return app.listen({ host: '127.0.0.1', port: 0 })
}
