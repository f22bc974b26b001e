import assert from 'node:assert/strict'
import test from 'node:test'
import { decodeModel } from '../../../formats/onnx/index.ts'
import { checkModel } from '../../../onnx/check/check.ts'
import { seededWeights, smallDims } from '../../../testing/whisper/models.ts'
import { decoderCases, encoderCases, rungLengths } from './cases.ts'

const dims = { ...smallDims, audioContext: 500, textContext: 40 }
const model = { name: 'tiny', dims, weights: seededWeights(dims) }
const none = { encoder: () => [], decoder: () => [] }

test('encoderCases offers 10 s before 5 s, and decoderCases the whole sequence before half of it', () => {
  const encoders = encoderCases(model, none)
  assert.deepEqual(
    encoders.map(({ tag }) => tag),
    ['tiny-encoder-10s', 'tiny-encoder-5s'],
  )
  // As a ladder does: the lengths of the encoder that compiled.
  const decoders = decoderCases(model, encoders[1]!.config, none)
  assert.deepEqual(
    decoders.map(({ tag, config }) => [tag, config.half, config.sequence]),
    [
      ['tiny-decoder-5s-seq-32', 'decoder', 32],
      ['tiny-decoder-5s-seq-16', 'decoder', 16],
    ],
  )
})

test('every rung is a sound graph with the inputs and outputs that it names', async () => {
  for (const each of [...encoderCases(model, none), ...decoderCases(model, rungLengths('tiny')[0]!, none)]) {
    const { onnx, inputs, outputs, modelScript } = await each.prepare()
    const { graph, ...rest } = decodeModel(onnx as Uint8Array)
    assert.deepEqual(checkModel({ graph, ...rest }).problems, [], each.tag)
    assert.deepEqual(
      graph.input.map(({ name }) => name),
      inputs.map(({ name }) => name),
    )
    assert.deepEqual(
      graph.output.map(({ name }) => name),
      outputs,
    )
    assert.match(modelScript, /^model_optimization_flavor\(optimization_level=2, compression_level=0\)$/m)
  }
})
