import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { decodeModel } from '../../../formats/onnx/index.ts'
import { encodeSafetensors } from '../../../testing/formats/safetensors.ts'
import { float32, type Tensor } from '../../../formats/tensors/tensor.ts'
import { convTasNetOptions, runTag } from '../../../models/convtasnet/options.ts'
import { seededWeights } from '../../../models/convtasnet/weights.ts'
import { RunbookError } from '../../../base/errors.ts'
import { openCalibration } from './calibration.ts'
import { convTasNetCase, feedOf, type CaseSetting } from './convtasnet-case.ts'

const folder = mkdtempSync(join(tmpdir(), 'case-'))
const options = convTasNetOptions({ nFilters: 32, bnChan: 8, hidChan: 16, skipChan: 8, nBlocks: 1, inputLen: 800 })
const setting = async (change: Partial<CaseSetting> = {}): Promise<CaseSetting> => ({
  calibration: await openCalibration({ path: undefined, lengthPolicy: 'error' }),
  calibrationSamples: 3,
  batchSize: 1,
  quick: true,
  scriptExtra: '',
  weights: undefined,
  ...change,
})

test('convTasNetCase() makes the same bytes each time, and names the ends of its graph', async () => {
  const rung = convTasNetCase(options, await setting())
  const [once, twice] = [await rung.prepare(), await rung.prepare()]
  assert.equal(rung.tag, runTag(options))
  assert.deepEqual(once.onnx, twice.onnx)
  assert.deepEqual([once.inputs, once.outputs], [[{ name: 'input', shape: [1, 1, 1, 800] }], ['output']])
  assert.ok(once.facts!.parameters! > 0 && once.facts!.macs! > 0)
  assert.match(once.modelScript, /calibset_size=3/)
})

test("convTasNetCase() gives calibration samples in the shape of its graph's input", async () => {
  const framed = convTasNetOptions({ ...options, encoderMode: 'framed' })
  for (const [o, shape] of [
    [options, [1, 1, 1, 800]],
    [framed, [1, 16, 1, 101]],
  ] as const) {
    const prepared = await convTasNetCase(o, await setting()).prepare()
    assert.deepEqual(
      prepared.samples().map(({ input }) => input!.shape),
      [shape, shape, shape],
    )
    assert.deepEqual(prepared.inputs[0]!.shape, shape)
  }
})

test('convTasNetCase() takes weights from a file, and refuses those that do not fit or hold NaN', async () => {
  const weights = (change: (name: string, tensor: Tensor) => Tensor) => {
    const path = join(folder, 'weights.safetensors')
    writeFileSync(
      path,
      encodeSafetensors(new Map([...seededWeights(options)].map(([name, tensor]) => [name, change(name, tensor)]))),
    )
    return path
  }
  const doubled = await convTasNetCase(
    options,
    await setting({
      weights: weights((_, t) => ({ ...t, data: Float32Array.from(t.data as Float32Array, v => 2 * v) })),
    }),
  ).prepare()
  const seeded = await convTasNetCase(options, await setting()).prepare()
  assert.equal(decodeModel(doubled.onnx).graph!.node.length, decodeModel(seeded.onnx).graph!.node.length)
  assert.notDeepEqual(doubled.onnx, seeded.onnx)
  const refused = (message: RegExp) => (error: unknown) =>
    error instanceof RunbookError && error.exit === 'usage' && message.test(error.message)
  const wrong = weights((name, t) => (name === 'encoder.weight' ? float32([16, 1, 1, 16], new Float32Array(256)) : t))
  await assert.rejects(
    async () => convTasNetCase(options, await setting({ weights: wrong })).prepare(),
    refused(/\[16, 1, 1, 16\].*\[32, 1, 1, 16\]/),
  )
  const nan = weights((name, t) =>
    name === 'encoder.weight'
      ? { ...t, data: Float32Array.from(t.data as Float32Array, (v, i) => (i === 7 ? Number.NaN : v)) }
      : t,
  )
  await assert.rejects(
    async () => convTasNetCase(options, await setting({ weights: nan })).prepare(),
    refused(/encoder\.weight.*element 7 is NaN/),
  )
})

test('feedOf() gives samples to a convolutional encoder and frames to a framed one', () => {
  const window = Float32Array.from({ length: 800 }, (_, i) => i)
  assert.deepEqual(feedOf(window, options).shape, [1, 1, 1, 800])
  const framed = feedOf(window, convTasNetOptions({ ...options, encoderMode: 'framed' }))
  assert.deepEqual(framed.shape, [1, 16, 1, 101])
  // Frame 1 begins at sample 0: tap 0 of column 1.
  assert.equal((framed.data as Float32Array)[1], 0)
  assert.equal((framed.data as Float32Array)[15 * 101 + 1], 15)
})
