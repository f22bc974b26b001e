// The three exact rewrites, and what the seeded weights promise: each against the plain graph, in ONNX Runtime.
import assert from 'node:assert/strict'
import test from 'node:test'
import { encodeModel } from '../../formats/onnx/index.ts'
import { frameSignal, framesOf, OverlapAdd, tiles } from '../../signal/frames.ts'
import { convTasNetGraph, inputShape } from './graph.ts'
import { convTasNetOptions, decoderModes, haloFrames, latentFrames } from './options.ts'
import type { ConvTasNetOptions } from './options.ts'
import { isMixtureConsistent } from './seeded-weights.ts'
import { onnxruntimeNode } from '../../host/onnxruntime-node.ts'

const framing = { kernel: 16, stride: 8 }
const exact = 1e-6

/** Voice-like: loud and soft stretches, some hum, some noise; a second at 16 kHz. */
const signal = (samples = 16000, seed = 5) => {
  let state = seed
  return Float32Array.from({ length: samples }, (_, i) => {
    state = (state * 48271) % 0x7fffffff
    const loud = i % 4000 < 2600 ? 0.3 : 0.02
    return loud * (0.6 * Math.sin(i * 0.05) + 0.3 * Math.sin(i * 0.31) + 0.2 * (state / 0x7fffffff - 0.5))
  })
}

/** A function that runs the graph of these options on the data of one window. */
async function runner(o: ConvTasNetOptions) {
  const ort = await onnxruntimeNode()
  const session = await ort.InferenceSession.create(encodeModel(convTasNetGraph(o)), { intraOpNumThreads: 2 })
  return async (data: Float32Array) => {
    const { output } = await session.run({ input: new ort.Tensor('float32', data, inputShape(o)) })
    return output!.data as Float32Array
  }
}

const answer = async (o: ConvTasNetOptions, data: Float32Array) => (await runner(o))(data)

/** One channel of coefficients or samples out of several. */
const channel = (data: Float32Array, index: number, of: number) =>
  data.subarray((index * data.length) / of, ((index + 1) * data.length) / of)

function distance(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length)
  assert.ok(a.length > 0)
  return a.reduce(
    (worst, value, i) => Math.max(worst, Number.isNaN(value - b[i]!) ? Infinity : Math.abs(value - b[i]!)),
    0,
  )
}

const loudest = (a: Float32Array) => a.reduce((worst, value) => Math.max(worst, Math.abs(value)), 0)

test('a framed encoder equals the strided convolution over the whole graph', async () => {
  const plain = convTasNetOptions({ decoderMode: 'conv1x1_head' })
  const want = await answer(plain, signal())
  const have = await answer({ ...plain, encoderMode: 'framed' }, frameSignal(signal(), framing).data)
  assert.ok(loudest(want) > 0.05, 'the signal is no silence')
  assert.ok(distance(have, want) <= exact, `they differ by ${distance(have, want)}`)
})

test('a polyphase decoder with overlap-add equals the grouped transposed convolution', async () => {
  const plain = convTasNetOptions({ decoderMode: 'deconv' })
  const want = await answer(plain, signal())
  const coefficients = await answer({ ...plain, decoderMode: 'polyphase' }, signal())
  const sources = new OverlapAdd({ ...framing, sources: 2 }).push(coefficients, { columns: 2001, firstFrame: 0 })
  assert.ok(loudest(want) > 0.05)
  for (const [index, have] of sources.entries()) {
    const difference = distance(have, channel(want, index, 2))
    assert.ok(difference <= exact, `source ${index} differs by ${difference}`)
  }
  assert.ok(distance(sources[0]!, sources[1]!) > 0.01, 'the sources are not one and the same')
})

/** Cut the frames of a signal into tiles, run each, and add the kept ones up. */
async function separateTiled(
  o: ConvTasNetOptions,
  samples: Float32Array,
  halo = haloFrames(o),
): Promise<Float32Array[]> {
  const run = await runner(o)
  const width = latentFrames(o)
  const adder = new OverlapAdd({ ...framing, sources: 2 })
  const parts: Float32Array[][] = []
  for (const { start, from, to } of tiles({ total: framesOf(samples.length, 8), width, halo })) {
    const window =
      o.encoderMode === 'framed'
        ? frameSignal(samples, framing, { firstFrame: start, frames: width }).data
        : samples.slice(start * 8, start * 8 + o.inputLen)
    parts.push(adder.push(await run(window), { columns: width, firstFrame: start, from, to }))
  }
  return [0, 1].map(source => Float32Array.from(parts.flatMap(part => Array.from(part[source]!))))
}

const wholeAndTile = (more: Partial<ConvTasNetOptions>) => {
  const whole = convTasNetOptions({ decoderMode: 'polyphase', ...more })
  return { whole, tile: { ...whole, inputLen: 255 * 8 } }
}

test('tiles of 256 frames with a halo equal the whole of 2001, to the true ends of the signal', async () => {
  const { whole, tile } = wholeAndTile({ encoderMode: 'framed' })
  assert.equal(haloFrames(tile), 3)
  const want = await separateTiled(whole, signal())
  const have = await separateTiled(tile, signal())
  for (const source of [0, 1]) assert.ok(distance(have[source]!, want[source]!) <= exact, `source ${source}`)
})

test('tiles of a padded encoder equal the whole when the halo is one frame wider', async () => {
  const { whole, tile } = wholeAndTile({ encoderMode: 'conv' })
  assert.equal(haloFrames(tile), 4)
  const want = await separateTiled(whole, signal())
  const have = await separateTiled(tile, signal())
  for (const source of [0, 1]) assert.ok(distance(have[source]!, want[source]!) <= exact, `source ${source}`)
})

test('tiles differ from the whole when the halo is one frame short', async () => {
  for (const encoderMode of ['framed', 'conv'] as const) {
    const { whole, tile } = wholeAndTile({ encoderMode })
    const [want] = await separateTiled(whole, signal())
    const [have] = await separateTiled(tile, signal(), haloFrames(tile) - 1)
    assert.ok(distance(have!, want!) > 10 * exact, `${encoderMode}: a halo of ${haloFrames(tile) - 1} would do`)
  }
})

test('tiles of samples equal the whole when the graph gives samples', async () => {
  const { whole, tile } = wholeAndTile({ decoderMode: 'deconv' })
  const want = channel(await answer(whole, signal()), 0, 2)
  const run = await runner(tile)
  const have: number[] = []
  for (const { start, from, to } of tiles({ total: 16000, width: tile.inputLen, halo: haloFrames(tile) * 8 })) {
    have.push(...channel(await run(signal().slice(start, start + tile.inputLen)), 0, 2).subarray(from, to))
  }
  assert.ok(distance(Float32Array.from(have), want) <= exact)
})

test('seededWeights() gives the signal back when no mask is applied', async () => {
  for (const decoderMode of ['deconv', 'reduced_deconv_64', 'reduced_deconv_128'] as const) {
    const o = convTasNetOptions({ decoderMode, maskMulMode: 'bypass', nFilters: 24, inputLen: 4000 })
    const out = await answer(o, signal(4000))
    for (const source of [0, 1])
      assert.ok(distance(channel(out, source, 2), signal(4000)) <= exact, `${decoderMode} ${source}`)
  }
})

test('seededWeights() separates into two signals that sum to the mixture', async () => {
  const mixture = signal(4000)
  for (const maskAct of ['sigmoid', 'linear'] as const) {
    for (const decoderMode of decoderModes) {
      const o = convTasNetOptions({ decoderMode, maskAct, nFilters: 64, inputLen: 4000 })
      assert.ok(isMixtureConsistent(o))
      const out = await answer(o, mixture)
      const parts =
        decoderMode === 'polyphase'
          ? new OverlapAdd({ ...framing, sources: 2 }).push(out, { columns: 501, firstFrame: 0 })
          : [channel(out, 0, 2), channel(out, 1, 2)]
      const sum = parts[0]!.map((value, i) => value + parts[1]![i]!)
      // The head gives one sample a frame, the last of which lies behind the signal.
      const decimated = Float32Array.from({ length: 501 }, (_, frame) => mixture[frame * 8] ?? 0)
      const want = decoderMode === 'conv1x1_head' ? decimated : mixture
      assert.ok(distance(sum, want) <= exact, `${maskAct} ${decoderMode}: ${distance(sum, want)}`)
      assert.ok(distance(parts[0]!, parts[1]!) > 0.01, 'the two are not the same')
    }
  }
})

test('seededWeights() makes masks that spread over (0, 1), deep graphs included', async () => {
  const ort = await onnxruntimeNode()
  const shallow = { nFilters: 64, bnChan: 24, hidChan: 48, skipChan: 24, nBlocks: 1 }
  const deep = { bnChan: 32, hidChan: 64, skipChan: 32, nBlocks: 8, nRepeats: 3 }
  for (const sizes of [shallow, deep]) {
    const o = convTasNetOptions({ ...sizes, inputLen: 4000, decoderMode: 'deconv' })
    const model = convTasNetGraph(o)
    const mask = model.graph.node.find(node => node.opType === 'Sigmoid')!.output[0]!
    const output = [{ name: mask, type: { tensorType: { elemType: 1 } } }]
    const session = await ort.InferenceSession.create(encodeModel({ ...model, graph: { ...model.graph, output } }))
    const results = await session.run({ input: new ort.Tensor('float32', signal(4000), inputShape(o)) })
    const data = results[mask]!.data as Float32Array
    const share = (low: number, high: number) => data.filter(value => value >= low && value < high).length / data.length
    assert.ok(share(0, 0.4) > 0.2 && share(0.6, 1.01) > 0.2, `lower ${share(0, 0.4)}, upper ${share(0.6, 1.01)}`)
    assert.ok(share(0.01, 0.99) > 0.8, `saturated: ${1 - share(0.01, 0.99)}`)
  }
})
