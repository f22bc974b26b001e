import assert from 'node:assert/strict'
import test from 'node:test'
import { openOrtC } from '../../infer/ort/c-api.ts'
import { float32, type Tensor } from '../../formats/tensors/tensor.ts'
import { checkModel } from '../../onnx/check/check.ts'
import { modelFile } from '../../testing/infer/fixtures.ts'
import { seededWeights, smallDims } from '../../testing/whisper/models.ts'
import { decoderGraph } from './decoder.ts'
import { encoderGraph } from './encoder.ts'

const weights = seededWeights(smallDims)
const { mels, audioContext, decoderLayers, heads, width, vocabulary } = smallDims
const ints = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(values, n => BigInt(n)),
})
const mask = (time: number) =>
  float32(
    [time, time],
    Float32Array.from({ length: time * time }, (_, i) => (i % time > Math.floor(i / time) ? -1e9 : 0)),
  )
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0)

async function crossKeys(): Promise<Record<string, Tensor>> {
  await using encoder = await openOrtC(modelFile(encoderGraph(smallDims, weights)), { threads: 1 })
  const mel = Float32Array.from({ length: mels * 2 * audioContext }, (_, i) => Math.sin(i * i))
  const { hidden, ...cross } = await encoder.infer({ mel: float32([1, mels, 2 * audioContext], mel) })
  assert.deepEqual(hidden!.shape, [1, audioContext, width])
  return Object.fromEntries(
    Object.entries(cross).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() } as Tensor]),
  )
}

test('encoderGraph and decoderGraph are sound to the checker', async () => {
  for (const model of [encoderGraph(smallDims, weights), decoderGraph(smallDims, weights)]) {
    assert.deepEqual((await checkModel(model)).problems ?? [], [])
  }
})

test('decoderGraph says the same whether tokens come together or one by one', async () => {
  const cross = await crossKeys()
  await using decoder = await openOrtC(modelFile(decoderGraph(smallDims, weights)), { threads: 1 })
  const tokens = [3, 14, 15, 9, 2, 6]
  const capacity = 8
  const empty = () => float32([1, heads, capacity, 64], new Float32Array(heads * capacity * 64))
  const cache = Object.fromEntries(
    Array.from({ length: decoderLayers }, (_, i) => [
      [`past_key_${i}`, empty()],
      [`past_value_${i}`, empty()],
    ]).flat() as [string, Tensor][],
  )
  const pastMask = float32([capacity], new Float32Array(capacity).fill(-1e9))
  const whole = await decoder.infer({
    tokens: ints([1, 6], tokens),
    positions: ints([6], [0, 1, 2, 3, 4, 5]),
    rows: ints([6], [0, 1, 2, 3, 4, 5]),
    past_mask: pastMask,
    new_mask: mask(6),
    ...cache,
    ...cross,
  })
  const together = (whole.logits!.data as Float32Array).slice()
  assert.deepEqual(whole.logits!.shape, [1, 6, vocabulary])
  for (const [position, token] of tokens.entries()) {
    const one = await decoder.infer({
      tokens: ints([1, 1], [token]),
      positions: ints([1], [position]),
      rows: ints([1], [0]),
      past_mask: pastMask,
      new_mask: mask(1),
      ...cache,
      ...cross,
    })
    const want = together.subarray(position * vocabulary, (position + 1) * vocabulary)
    assert.ok(apart(want, one.logits!.data as Float32Array) < 1e-4, `token ${position}`)
    for (let i = 0; i < decoderLayers; i++) {
      for (const kind of ['key', 'value']) {
        const row = one[`new_${kind}_${i}`]!.data as Float32Array
        const past = cache[`past_${kind}_${i}`]!.data as Float32Array
        for (let head = 0; head < heads; head++) {
          past.set(row.subarray(head * 64, (head + 1) * 64), (head * capacity + position) * 64)
        }
      }
      const attention = one[`cross_weights_${i}`]!.data as Float32Array
      const sum = attention.subarray(0, audioContext).reduce((total, value) => total + value, 0)
      assert.ok(Math.abs(sum - 1) < 1e-5)
    }
    pastMask.data[position] = 0
  }
  assert.ok(apart(together.subarray(0, vocabulary), together.subarray(vocabulary, 2 * vocabulary)) > 0.01)
})
