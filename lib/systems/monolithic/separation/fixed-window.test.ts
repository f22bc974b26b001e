import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { readWav } from '../../../formats/wav/index.ts'
import { GraphBuilder } from '../../../onnx/builder.ts'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { halves, modelFile, scratch, single, voice, wavFile } from '../../../testing/infer/fixtures.ts'
import { withFixedWindow } from './fixed-window.ts'
import { separateRecording } from './separate-recording.ts'

/** mix[batch, 1, T] -> s1, s2, each half of it. */
function twoOutputs() {
  const graph = new GraphBuilder({ name: 'export' })
  const mix = graph.input('mix', 'float32', ['batch', 1, 'T'])
  for (const name of ['s1', 's2']) {
    graph.node('Mul', [mix, graph.weight(`${name}.gain`, float32([1], [0.5]))], { name, output: `${name}_out` })
    graph.output(`${name}_out`, 'float32', ['batch', 1, 'T'])
  }
  return graph.build()
}

test('withFixedWindow() leaves a model with fixed shapes, and what is no ONNX file, as they are', () => {
  const [fixed, folder] = [modelFile(halves(400)), scratch()]
  assert.deepEqual(withFixedWindow(fixed, { folder, sampleRate: 16_000 }), { path: fixed, assumed: [] })
  assert.equal(withFixedWindow('a.hef', { folder, sampleRate: 16_000 }).path, 'a.hef')
  assert.deepEqual(readdirSync(folder), [])
})

test('withFixedWindow() says which window it gave, at the rate of the model', () => {
  const folder = scratch()
  const { path, assumed } = withFixedWindow(modelFile(twoOutputs()), { folder, sampleRate: 8000 })
  assert.match(assumed[0]!, /"mix" takes windows of 32000 samples: its length is open/)
  assert.equal(path, join(folder, 'model_32000.onnx'))
})

test('withFixedWindow() refuses an open dimension that is no length of sound', () => {
  const picture = modelFile(single('Relu', { input: [1, 'C', 8, 'W'], output: [1, 'C', 8, 'W'] }))
  assert.throws(() => withFixedWindow(picture, { folder: scratch(), sampleRate: 16_000 }), {
    exit: 'usage',
    message: /C, W is open/,
  })
})

test('separateRecording() takes an export of any length with one output for each source', async () => {
  const { metrics, files } = await separateRecording({
    modelPath: modelFile(twoOutputs()),
    backend: 'auto',
    recording: { mix: wavFile([voice(100_000)]), references: null, from: 'MIX_WAV' },
    folder: scratch(),
    sampleRate: 16_000,
    signal: new AbortController().signal,
  })
  assert.deepEqual([metrics.sources, metrics.output_stream, metrics.halo_samples], [2, 's1_out,s2_out', 0])
  assert.ok(metrics.windows >= 2 && metrics.mixture_consistency_db > 80)
  assert.ok(metrics.warnings.some(warning => /its length is open/.test(warning)))
  assert.equal(readWav(files.sources[1]!).info.frames, 100_000)
})
