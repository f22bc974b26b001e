import assert from 'node:assert/strict'
import test from 'node:test'
import { float32 } from '../../../formats/tensors/tensor.ts'
import { haloFrames, type ConvTasNetOptions } from '../../../models/convtasnet/options.ts'
import type { Backend } from '../../../infer/backend.ts'
import {
  concat,
  fakeBackend,
  halves,
  layout,
  modelFile,
  relativeError,
  tinyModel,
  tinyOptions,
  voice,
} from '../../../testing/infer/fixtures.ts'
import { openOrtNode } from '../../../infer/ort/node-package.ts'
import { separate } from './separate.ts'
import { separationModel } from './model.ts'

const exact = 1e-6

/** A recording in memory that also says how it was read. */
function sourceOf(samples: Float32Array, sizes: number[] = []) {
  let at = 0
  return {
    totalSamples: samples.length,
    read(count: number) {
      sizes.push(count)
      at += count
      return samples.subarray(at - count, at)
    },
  }
}

interface Watch {
  readonly signal?: AbortSignal
  readonly onWindow?: (done: number, total: number) => void
}

async function run(
  backend: Backend,
  samples: Float32Array,
  halo: number,
  { signal = new AbortController().signal, onWindow }: Watch = {},
) {
  const parts: Float32Array[][] = []
  const times = await separate({
    backend,
    model: separationModel(backend, { layout }),
    haloFrames: halo,
    source: sourceOf(samples),
    signal,
    onBlock: (mix, sources) => void parts.push([mix, ...sources].map(part => part.slice())),
    ...(onWindow ? { onWindow } : {}),
  })
  const [mix, ...sources] = parts[0]!.map((_, i) => concat(parts.map(part => part[i]!)))
  return { times, mix: mix!, sources, blocks: parts.map(part => part.map(({ length }) => length)) }
}

const paddedTo = (samples: Float32Array, length: number) => {
  const padded = new Float32Array(length)
  padded.set(samples)
  return padded
}
const strideUp = (samples: number) => Math.ceil(samples / 8) * 8

/** What one graph of the whole length says, at the audio rate: the plain strided encoder and transposed decoder. */
async function endless(o: ConvTasNetOptions, samples: Float32Array, inputLen: number): Promise<Float32Array[]> {
  const decoderMode = o.decoderMode === 'polyphase' ? 'deconv' : o.decoderMode
  await using whole = await openOrtNode(tinyModel({ ...o, encoderMode: 'conv', decoderMode, inputLen }))
  const results = await whole.infer({ input: float32([1, 1, 1, inputLen], paddedTo(samples, inputLen)) })
  const data = results.output!.data as Float32Array
  return [0, 1].map(source => data.subarray(source * inputLen, source * inputLen + samples.length))
}

const combinations = (['conv', 'framed'] as const).flatMap(encoderMode =>
  (['deconv', 'reduced_deconv_64', 'polyphase'] as const).map(decoderMode => ({ encoderMode, decoderMode })),
)

/** Compare windows of 400 samples with one graph of the length that `inputLenOf` says. */
async function compareWithEndless(
  lengths: readonly number[],
  inputLenOf: (samples: number) => number,
  combos: typeof combinations = combinations,
): Promise<void> {
  for (const modes of combos) {
    const o = tinyOptions(modes)
    await using backend = await openOrtNode(tinyModel(modes))
    for (const length of lengths) {
      const samples = voice(length)
      const want = await endless(o, samples, inputLenOf(length))
      const { sources, mix, times } = await run(backend, samples, haloFrames(o))
      const where = `${modes.encoderMode} to ${modes.decoderMode}, ${length} samples`
      assert.deepEqual(mix, samples, where)
      assert.equal(times.samples, length, where)
      for (const [i, source] of sources.entries()) {
        const error = relativeError(source, want[i]!)
        assert.ok(error <= exact, `${where}: ${error}`)
      }
    }
  }
}

test('separate() equals one endless network for every feed and answer, over many windows', async () => {
  await compareWithEndless([4000], strideUp)
})

test('separate() equals one endless network at exactly one window, one sample more', async () => {
  await compareWithEndless([400, 401, 404, 407, 408, 409, 735, 736, 737, 1001, 1999], strideUp)
})

test('separate() is exact in the last window, however little of it is new', async () => {
  // A window keeps 336 samples of 400 in the middle; these lengths leave 1 to 9 frames for the last one.
  const lengths = Array.from({ length: 9 }, (_, i) => 400 + 336 - 32 + 8 * i + 1)
  await compareWithEndless(lengths, strideUp, [
    { encoderMode: 'conv', decoderMode: 'polyphase' },
    { encoderMode: 'framed', decoderMode: 'deconv' },
  ])
})

test('separate() takes a signal shorter than a window as one that silence follows', async () => {
  await compareWithEndless([1, 7, 8, 9, 100, 361], () => 400)
  // Far enough from the window's end it is also what an endless network says of endless silence.
  await compareWithEndless([1, 7, 8, 9, 100, 361], () => 4000)
})

test('separate() gives other values at the joins when the halo is one frame short', async () => {
  for (const modes of combinations) {
    const o = tinyOptions(modes)
    await using backend = await openOrtNode(tinyModel(modes))
    const samples = voice(2000)
    const want = await endless(o, samples, 2000)
    const { sources } = await run(backend, samples, haloFrames(o) - 1)
    assert.ok(
      relativeError(sources[0]!, want[0]!) > 10 * exact,
      `${modes.encoderMode} to ${modes.decoderMode} needs no halo of ${haloFrames(o)}`,
    )
  }
})

test('separate() with a halo wider than needed changes nothing', async () => {
  await using backend = await openOrtNode(tinyModel())
  const samples = voice(3000)
  const [narrow, wide] = [await run(backend, samples, 4), await run(backend, samples, 11)]
  assert.ok(relativeError(wide.sources[1]!, narrow.sources[1]!) <= exact)
  assert.ok(wide.times.windows > narrow.times.windows)
})

test('separate() gives blocks that are equally long for mixture and sources', async () => {
  await using backend = await openOrtNode(tinyModel({ encoderMode: 'framed' }))
  const seen: string[] = []
  const { blocks, times } = await run(backend, voice(1500), 3, {
    onWindow: (done, total) => void seen.push(`${done}/${total}`),
  })
  assert.ok(blocks.every(block => block.length === 3 && block.every(length => length === block[0])))
  assert.equal(times.windows, blocks.length)
  assert.equal(times.latenciesMs.length, times.windows)
  assert.ok(times.configureMs > 0 && times.latenciesMs.every(ms => ms > 0))
  assert.deepEqual(
    seen,
    Array.from({ length: times.windows }, (_, i) => `${i + 1}/${times.windows}`),
  )
})

test('separate() reads each sample of the recording once, and never more than a window ahead', async () => {
  await using backend = await openOrtNode(modelFile(halves(400)))
  const sizes: number[] = []
  await separate({
    backend,
    model: separationModel(backend, { layout }),
    haloFrames: 4,
    source: sourceOf(voice(10_000), sizes),
    signal: new AbortController().signal,
    onBlock: () => {},
  })
  assert.ok(Math.max(...sizes) <= 416)
  assert.ok(sizes.reduce((sum, size) => sum + size) <= 10_000 + 416)
})

test('separate() is a usage error when the halo leaves nothing of a window, before anything is asked', async () => {
  await using backend = await openOrtNode(modelFile(halves(400)))
  await assert.rejects(run(backend, voice(1000), 25), { exit: 'usage', message: /Cannot tile 1000 positions by 400/ })
})

const streams = [
  [{ name: 'input', dtype: 'float32', shape: [1, 1, 1, 400] }],
  [{ name: 'output', dtype: 'float32', shape: [1, 2, 400] }],
] as const
/** Passes sound on to both sources; `spoil` may change the answer to the nth question. */
function passing(spoil: (values: Float32Array, call: number) => void = () => {}): Backend {
  let call = 0
  return fakeBackend(...streams, feeds => {
    const sound = feeds.input!.data as Float32Array
    const values = concat([sound, sound])
    spoil(values, call++)
    return { output: float32([1, 2, 400], values) }
  })
}

test('separate() fails at the first NaN or infinity that a model answers, and says where', async () => {
  for (const value of [Number.NaN, Infinity, -Infinity]) {
    const backend = passing((values, call) => {
      if (call === 2) values[777] = value
    })
    await assert.rejects(run(backend, voice(1000), 1), {
      exit: 'fail',
      message: new RegExp(`output.*value 777 of the window at frame 48 is ${value}`),
    })
  }
})

test('separate() stops between two windows when it is interrupted', async () => {
  const controller = new AbortController()
  let windows = 0
  setImmediate(() => setImmediate(() => controller.abort('SIGINT')))
  const work = run(passing(), voice(400_000), 0, { signal: controller.signal, onWindow: () => void windows++ })
  await assert.rejects(work, { exit: 'interrupted', message: /interrupted \(SIGINT\)/ })
  assert.ok(windows < 100, `${windows} windows were done`)
})

test('separate() does nothing at all when it is interrupted before it begins', async () => {
  let windows = 0
  const work = run(passing(), voice(4000), 0, { signal: AbortSignal.abort(), onWindow: () => void windows++ })
  await assert.rejects(work, { exit: 'interrupted', message: 'Cannot finish the separation: interrupted' })
  assert.equal(windows, 0)
})

test('separate() feeds silence, not old sound, behind the end of the recording', async () => {
  const fed: Float32Array[] = []
  const backend = fakeBackend(...streams, feeds => {
    fed.push((feeds.input!.data as Float32Array).slice())
    return { output: float32([1, 2, 400], new Float32Array(800)) }
  })
  await run(
    backend,
    voice(403).map(() => 1),
    0,
  )
  const last = fed.at(-1)!
  assert.equal(
    last.reduce((sum, value) => sum + value),
    395,
    'the last window ends 5 samples behind the recording',
  )
  assert.deepEqual([...last.subarray(395)], [0, 0, 0, 0, 0])
  assert.ok(
    fed[0]!.every(value => value === 0),
    'the first question, silence, sets the runtime up',
  )
})

test('separate() feeds zeros to the inputs that were not chosen', async () => {
  const inputs = [...streams[0], { name: 'gain', dtype: 'int64', shape: [2] }] as const
  const fed: unknown[] = []
  const backend = fakeBackend(inputs, streams[1], feeds => {
    fed.push(feeds.gain)
    return { output: float32([1, 2, 400], new Float32Array(800)) }
  })
  const model = separationModel(backend, { layout, input: 'input' })
  await separate({
    backend,
    model,
    haloFrames: 0,
    source: sourceOf(voice(10)),
    signal: new AbortController().signal,
    onBlock: () => {},
  })
  assert.deepEqual(fed[0], { dtype: 'int64', shape: [2], data: new BigInt64Array(2) })
})
