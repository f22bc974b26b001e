import assert from 'node:assert/strict'
import test from 'node:test'
import { encodeModel } from '../../formats/onnx/index.ts'
import { float32 } from '../../formats/tensors/tensor.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'
import { tcnGraph } from './graph.ts'
import { referenceLatent } from './reference.ts'
import { seededTcnWeights } from './weights.ts'

test('referenceLatent agrees with the graph on ONNX Runtime for seeded weights', async () => {
  const ort = await onnxruntimeNode()
  const weights = seededTcnWeights(9)
  const head = { weight: float32([2, 64], new Float32Array(128)), bias: float32([2], new Float32Array(2)) }
  const session = await ort.InferenceSession.create(encodeModel(tcnGraph('causal', weights, head)))
  const window = Float32Array.from({ length: 900 }, (_, i) => Math.sin(i * 0.37) * 1.5)
  const results = await session.run({ imu_window: new ort.Tensor('float32', window, [1, 100, 9]) })
  const got = results.latent_embeddings!.data as Float32Array
  const want = referenceLatent(weights, window)
  const scale = Math.max(...want.map(Math.abs))
  for (const [k, value] of want.entries()) assert.ok(Math.abs(value - got[k]!) < 1e-5 * scale, `${k}`)
})
