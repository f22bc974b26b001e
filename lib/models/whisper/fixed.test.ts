import assert from 'node:assert/strict'
import test from 'node:test'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { openOrtC } from '../../infer/ort/c-api.ts'
import { checkModel } from '../../onnx/check/check.ts'
import { modelFile } from '../../testing/infer/fixtures.ts'
import { seededWeights, smallDims } from '../../testing/whisper/models.ts'
import { decoderGraph } from './decoder.ts'
import { encoderGraph } from './encoder.ts'
import { fixedDecoderGraph, fixedEncoderGraph, partsOf } from './fixed.ts'

const weights = seededWeights(smallDims)
const { mels, audioContext, decoderLayers, heads, width, vocabulary } = smallDims
const lengths = { chunkFrames: 2 * audioContext, sequence: 6, parts: 4 }
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0)
const copied = (tensors: Readonly<Record<string, Tensor>>) =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, { ...t, data: t.data.slice() } as Tensor]))
const ints = (values: readonly number[], shape = [values.length]): Tensor => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(values, n => BigInt(n)),
})

test('the fixed graphs say what the cached ones say, in as many parts as asked', async () => {
  const models = [fixedEncoderGraph(smallDims, weights, lengths), fixedDecoderGraph(smallDims, weights, lengths)]
  for (const model of models) assert.deepEqual(checkModel(model).problems, [])
  const mel = Float32Array.from({ length: mels * 2 * audioContext }, (_, i) => Math.sin(i * i))
  await using encoder = await openOrtC(modelFile(encoderGraph(smallDims, weights)), { threads: 1 })
  await using fixedEncoder = await openOrtC(modelFile(models[0]!), { threads: 1 })
  const { hidden, ...cross } = copied(await encoder.infer({ mel: float32([1, mels, 2 * audioContext], mel) }))
  const own = copied(await fixedEncoder.infer({ mel: float32([1, mels, 1, 2 * audioContext], mel) }))
  assert.ok(apart(hidden!.data as Float32Array, own.hidden!.data as Float32Array) < 1e-4)

  const tokens = [3, 14, 15, 9, 2, 6]
  await using decoder = await openOrtC(modelFile(decoderGraph(smallDims, weights)), { threads: 1 })
  const empty = float32([1, heads, 1, 64], new Float32Array(heads * 64))
  const mask = Float32Array.from({ length: 36 }, (_, i) => (i % 6 > Math.floor(i / 6) ? -1e9 : 0))
  const { logits } = await decoder.infer({
    tokens: ints(tokens, [1, 6]),
    positions: ints([0, 1, 2, 3, 4, 5]),
    rows: ints([0, 1, 2, 3, 4, 5]),
    past_mask: float32([1], [-1e9]),
    new_mask: float32([6, 6], mask),
    ...Object.fromEntries(
      Array.from({ length: decoderLayers }, (_, i) => [
        [`past_key_${i}`, empty],
        [`past_value_${i}`, empty],
      ]).flat(),
    ),
    ...cross,
  })
  await using fixedDecoder = await openOrtC(modelFile(models[1]!), { threads: 1 })
  const table = weights.get('decoder.token_embedding.weight')!.data
  const embedded = Float32Array.from(tokens.flatMap(token => [...table.subarray(token * width, (token + 1) * width)]))
  const parts = await fixedDecoder.infer({ hidden: own.hidden!, embeddings: float32([1, 6, width], embedded) })
  for (const [i, [from, to]] of partsOf(vocabulary, 4).entries()) {
    const part = parts[`logits_${i}`]!
    assert.deepEqual(part.shape, [1, 6, to - from])
    for (let row = 0; row < 6; row++) {
      const want = (logits!.data as Float32Array).subarray(row * vocabulary + from, row * vocabulary + to)
      assert.ok(apart(want, (part.data as Float32Array).subarray(row * (to - from), (row + 1) * (to - from))) < 1e-4)
    }
  }
})

test('partsOf gives what is left over to the last part', () => {
  assert.deepEqual(partsOf(51_865, 4), [
    [0, 12_966],
    [12_966, 25_932],
    [25_932, 38_898],
    [38_898, 51_865],
  ])
  assert.deepEqual(partsOf(5, 1), [[0, 5]])
})
