import assert from 'node:assert/strict'
import test from 'node:test'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { GraphBuilder } from '../../../onnx/builder.ts'
import { authorJoint } from '../../../models/tdt/decoder.ts'
import { seededTdtWeights } from '../../../models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes } from '../../../models/tdt/synthetic.ts'
import { parakeetContract } from '../contract/read.ts'
import { compareMeta, normalisersOf } from './check-export.ts'
import { syntheticModel } from './sources.ts'
import type { ModelMeta } from '../model/meta.ts'

test('normalisersOf() finds none before the logits of our joint, and a LogSoftmax wherever it hides', () => {
  const weights = seededTdtWeights(tinyConfig, tinySizes, 1)
  assert.deepEqual(normalisersOf(authorJoint(tinyConfig.decoder, 32, { name: 'joint', weights }), 'logits'), [])
  const graph = new GraphBuilder({ name: 'softmaxed', opset: 17, irVersion: 8 })
  const x = graph.input('x', 'float32', [1, 4])
  const soft = graph.node('LogSoftmax', [x], { attributes: { axis: -1 } })
  graph.node('Add', [soft, graph.weight('b', float32([4], [0, 0, 0, 0]))], { output: 'logits' })
  graph.output('logits', 'float32', [1, 4])
  assert.deepEqual(normalisersOf(graph.build(), 'logits'), ['LogSoftmax "LogSoftmax_0"'])
})

test('compareMeta() finds a value of another number and of another type', () => {
  const contract = parakeetContract()
  const model = syntheticModel('tiny', contract, 1)
  const meta = { ...model.parts, features: model.features, model: '', source: {}, streaming: null, artifacts: {} }
  assert.ok(compareMeta(meta, contract, false).every(({ same }) => same))
  const wrong = {
    ...meta,
    features: { ...meta.features, preemphasis: 0 },
    decode: { ...meta.decode, max_symbols: '10' },
  } as unknown as ModelMeta
  const found = compareMeta(wrong, contract, false).filter(({ same }) => !same)
  assert.deepEqual(
    found.map(({ pointer }) => pointer),
    ['/features/preemphasis', '/decode/max_symbols'],
  )
  assert.ok(compareMeta(meta, contract, true).some(({ pointer, same }) => pointer === '/encoder/d_model' && !same))
})
