// What holds for any option and any length: drawn at random, and judged by the checker, the shape inference and the
// inspector.
import assert from 'node:assert/strict'
import test from 'node:test'
import { checkModel } from '../../onnx/check/check.ts'
import { inspect } from '../../onnx/inspect.ts'
import { inferShapes } from '../../onnx/shapes/infer.ts'
import { decodeModel, encodeModel } from '../../formats/onnx/index.ts'
import { sizeOf } from '../../formats/tensors/tensor.ts'
import { frameSignal, framesOf, OverlapAdd, paddedSamples, tiles } from '../../signal/frames.ts'
import { convTasNetGraph, inputShape, outputShape } from './graph.ts'
import { ladderConfigs } from '../../systems/monolithic/contract.ts'
import {
  convTasNetOptions,
  decoderModes,
  encoderModes,
  latentFrames,
  maskActs,
  maskMulModes,
  normModes,
  skipTopologyModes,
  sourcesOf,
} from './options.ts'
import { weightSpecs } from './weight-specs.ts'

const framing = { kernel: 16, stride: 8 }

/** fast-check is a development tool, and loads only here. */
const fastCheck = async () => (await import('fast-check')).default

test('convTasNetGraph() passes the checker and the shape inference for any options', async () => {
  const fc = await fastCheck()
  const options = fc.record({
    nFilters: fc.integer({ min: 16, max: 40 }),
    bnChan: fc.integer({ min: 1, max: 9 }),
    hidChan: fc.integer({ min: 1, max: 9 }),
    skipChan: fc.integer({ min: 1, max: 9 }),
    nBlocks: fc.integer({ min: 1, max: 4 }),
    nRepeats: fc.integer({ min: 1, max: 2 }),
    inputLen: fc.integer({ min: 1, max: 60 }).map(strides => strides * 8),
    nSrc: fc.integer({ min: 1, max: 4 }),
    maskMulMode: fc.constantFrom(...maskMulModes),
    skipTopologyMode: fc.constantFrom(...skipTopologyModes),
    decoderMode: fc.constantFrom(...decoderModes),
    encoderMode: fc.constantFrom(...encoderModes),
    normMode: fc.constantFrom(...normModes),
    maskAct: fc.constantFrom(...maskActs),
    forceNSrc1: fc.boolean(),
  })
  fc.assert(
    fc.property(options, given => {
      const o = convTasNetOptions(given)
      const model = decodeModel(encodeModel(convTasNetGraph(o)))
      assert.deepEqual(checkModel(model).problems, [])
      const shapes = inferShapes(model)
      assert.deepEqual(shapes.get('input')!.shape, inputShape(o))
      assert.deepEqual(shapes.get('output')!.shape, outputShape(o))
    }),
    { numRuns: 60, seed: 1 },
  )
})

test('weightSpecs() counts what inspect() finds in the graph', () => {
  for (const o of ladderConfigs('plan', { decoderMode: 'conv1x1_head' })) {
    const listed = weightSpecs(o).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    assert.equal(inspect(convTasNetGraph(o)).parameters, listed)
  }
})

test('convTasNetGraph() costs the multiplications of the original for the first and the last rung', () => {
  const rungs = ladderConfigs('plan', { decoderMode: 'conv1x1_head' })
  // The original's count takes the product with the mask along, which inspect() does not call multiply-accumulate.
  const millions = rungs.map(o => (inspect(convTasNetGraph(o)).macs + 2 * o.nFilters * latentFrames(o)) / 1e6)
  assert.deepEqual([millions[0]!.toFixed(1), millions[9]!.toFixed(1)], ['803.7', '33.6'])
})

test('the temporal ladder costs less with every rung, and keeps its weights', () => {
  const found = ladderConfigs('temporal').map(o => inspect(convTasNetGraph(o)))
  for (const [i, { macs, parameters, peakActivationBytes }] of found.entries()) {
    if (i === 0) continue
    assert.ok(macs < found[i - 1]!.macs && peakActivationBytes < found[i - 1]!.peakActivationBytes)
    assert.equal(parameters, found[0]!.parameters)
  }
})

test('tiles() covers any length once, with every kept position a halo away from inner edges', async () => {
  const fc = await fastCheck()
  const lengths = fc.tuple(
    fc.integer({ min: 1, max: 5000 }),
    fc.integer({ min: 0, max: 60 }),
    fc.integer({ min: 1, max: 300 }),
  )
  fc.assert(
    fc.property(lengths, ([total, halo, more]) => {
      const width = 2 * halo + more
      let done = 0
      for (const { start, from, to } of tiles({ total, width, halo })) {
        assert.equal(start + from, done)
        assert.ok(to > from && to <= width)
        assert.ok(start === 0 || from >= halo)
        assert.ok(start + width >= total || to <= width - halo)
        done = start + to
      }
      assert.equal(done, total)
    }),
    { numRuns: 300, seed: 2 },
  )
})

test('frames and OverlapAdd give any signal back, cut at any place', async () => {
  const fc = await fastCheck()
  const cases = fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 60 }))
  fc.assert(
    fc.property(cases, ([length, cut]) => {
      const padded = new Float32Array(paddedSamples(length, 8)).map((_, i) => (i < length ? i + 1 : 0))
      const columns = framesOf(padded.length, 8)
      const at = Math.min(cut, columns)
      const halves = frameSignal(padded, framing).data.map(value => value / 2)
      const adder = new OverlapAdd({ ...framing, sources: 1 })
      const first = adder.push(halves, { columns, firstFrame: 0, to: at })[0]!
      const second = adder.push(halves, { columns, firstFrame: 0, from: at })[0]!
      assert.deepEqual(Float32Array.of(...first, ...second), padded)
    }),
    { numRuns: 200, seed: 3 },
  )
})

test('latentFrames() agrees with framesOf() for every rung of both ladders', () => {
  for (const o of [...ladderConfigs('plan'), ...ladderConfigs('temporal')]) {
    assert.equal(latentFrames(o), framesOf(o.inputLen, o.stride))
    assert.equal(sourcesOf(o), 2)
  }
})
