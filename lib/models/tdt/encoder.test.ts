import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { readNpz } from '../../formats/tensors/npz.ts'
import { float32, type FloatTensor, type Tensor } from '../../formats/tensors/tensor.ts'
import { compare } from '../../parity/compare.ts'
import { goldenModel, openGraph } from '../../testing/tdt/golden-models.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { authorEncoder, authorStreamingEncoder } from './encoder.ts'
import type { Backend, Feeds } from '../../infer/backend.ts'
import type { EncoderConfig } from './config.ts'
import { nextChunk, streamSchedule, type StreamChunk, type StreamSchedule } from './schedule.ts'
import { seededTdtWeights } from './seeded-weights.ts'
import { tinyConfig, tinySizes, tinyStreamingConfig } from './synthetic.ts'

const close = { atol: 1e-4, rtol: 1e-4 }
const numbers = (tensor: Tensor | undefined) => tensor!.data as Float32Array
const int64 = (...values: number[]): Tensor => ({
  dtype: 'int64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
})
const skip = needsData('nemo/tdt-tiny-a/components.npz')

test("authorEncoder() gives NeMo's own encoder, alone and in a padded batch", { skip }, async t => {
  for (const name of ['tdt-tiny-a', 'tdt-tiny-b']) {
    const { config, weights } = goldenModel(name)
    const model = await openGraph(t, authorEncoder(config.encoder, { name: 'encoder', weights }))
    const golden = await readNpz(dataPath(`nemo/${name}/components.npz`))
    for (const clip of ['speech300ms', 'noise_500ms', 'short50ms', 'batch']) {
      const of = (part: string) => golden.get(`enc.${clip}.${part}`)!.tensor()
      const results = await model.infer({ audio_signal: of('audio_signal'), length: of('length') })
      const found = compare(numbers(results.outputs), numbers(of('outputs')), close)
      assert.ok(found.isClose, `${name} ${clip}: ${found.maxAbs}`)
      assert.deepEqual(results.encoded_lengths!.data, of('encoded_lengths').data)
    }
  }
})

test("authorStreamingEncoder() gives NeMo's own steps and caches, from its first frame on", { skip }, async t => {
  const cases = [
    { name: 'tdt-stream-s', file: 'steps.npz', stream: { cacheSize: 8, cacheDrop: 0 } },
    { name: 'tdt-tiny-b', file: 'stream-full-context.npz', stream: { cacheSize: 12, cacheDrop: 3 } },
  ]
  for (const { name, file, stream } of cases) {
    const { config, weights } = goldenModel(name)
    const graph = authorStreamingEncoder(config.encoder, stream, { name: 'encoder', weights })
    const model = await openGraph(t, graph)
    const golden = await readNpz(dataPath(`nemo/${name}/${file}`))
    for (let step = 0; step < 6; step++) {
      const of = (part: string) => golden.get(`step${step}.${part}`)!.tensor()
      // The input caches of a later step are the output caches of the one before.
      const cache = (part: string, next: string) =>
        batchFirst((golden.get(`step${step}.${part}`) ?? golden.get(`step${step - 1}.${next}`))!.tensor())
      const results = await model.infer({
        audio_signal: of('audio_signal'),
        length: of('length'),
        cache_last_channel: cache('cache_last_channel', 'cache_last_channel_next'),
        cache_last_time: cache('cache_last_time', 'cache_last_time_next'),
        cache_last_channel_len: cache('cache_last_channel_len', 'cache_last_channel_next_len'),
        drop_extra_pre_encoded: int64(step === 0 ? 0 : 2),
      })
      const want = of('outputs') as FloatTensor
      const got = firstFrames(results.outputs as FloatTensor, want.shape[2]!)
      const found = compare(got.data, want.data, close)
      assert.ok(found.isClose, `${name} step ${step}: ${found.maxAbs}`)
      for (const part of ['cache_last_channel_next', 'cache_last_time_next'])
        assert.ok(compare(numbers(results[part]), numbers(of(part)), close).isClose, `${name} step ${step} ${part}`)
      assert.deepEqual(results.cache_last_channel_next_len!.data, of('cache_last_channel_next_len').data)
    }
  }
})

test('authorStreamingEncoder() fed with padding in front gives what NeMo exported', { skip }, async t => {
  const { config, weights } = goldenModel('tdt-stream-s')
  const model = await openGraph(
    t,
    authorStreamingEncoder(config.encoder, { cacheSize: 8, cacheDrop: 0 }, { name: 'encoder', weights }),
  )
  const golden = await readNpz(dataPath('nemo/tdt-stream-s/steps-padded-first.npz'))
  const of = (part: string) => golden.get(`step0.${part}`)!.tensor()
  const results = await model.infer({
    audio_signal: of('audio_signal'),
    length: of('length'),
    cache_last_channel: batchFirst(of('cache_last_channel')),
    cache_last_time: batchFirst(of('cache_last_time')),
    cache_last_channel_len: of('cache_last_channel_len'),
    drop_extra_pre_encoded: int64(2),
  })
  const want = of('outputs') as FloatTensor
  assert.ok(compare(firstFrames(results.outputs as FloatTensor, want.shape[2]!).data, want.data, close).isClose)
})

test('the schedule and the caches that NeMo streamed with are those of the file', { skip }, () => {
  const { streaming_cfg: schedule } = JSON.parse(readFileSync(dataPath('nemo/tdt-stream-s/stream.json'), 'utf8'))
  assert.deepEqual([schedule.last_channel_cache_size, schedule.cache_drop_size], [8, 0])
})

test('authorEncoder() gives an item the same frames alone and padded in a batch', async t => {
  const weights = seededTdtWeights(tinyConfig, tinySizes, 1)
  const model = await openGraph(t, authorEncoder(tinyConfig.encoder, { name: 'encoder', weights }))
  const bins = tinyConfig.encoder.featIn
  const audio = (frames: number, total: number) => {
    const data = new Float32Array(bins * total).fill(99)
    for (let b = 0; b < bins; b++) for (let f = 0; f < frames; f++) data[b * total + f] = Math.sin(b * 1.3 + f * 0.7)
    return data
  }
  const alone = await model.infer({ audio_signal: float32([1, bins, 37], audio(37, 37)), length: int64(37) })
  const frames = alone.outputs!.shape[2]!
  const single = Float32Array.from(numbers(alone.outputs))
  const batch = Float32Array.from([...audio(37, 80), ...audio(80, 80)])
  const both = await model.infer({ audio_signal: float32([2, bins, 80], batch), length: int64(37, 80) })
  const first = firstFrames(both.outputs as FloatTensor, frames)
  assert.ok(compare(first.data.subarray(0, single.length), single, { atol: 1e-5, rtol: 1e-5 }).isClose)
  assert.deepEqual([...both.encoded_lengths!.data].map(Number), [Math.ceil(37 / 8), 10])
})

/** Ways of streaming; chunks of one frame are shorter than the pre-encode cache. */
const streams: readonly Partial<EncoderConfig>[] = [
  { attContext: [7, 0] },
  { attContext: [8, 3] },
  { attContext: [-1, 2] },
  { attContext: [6, 0], attStyle: 'regular', convNorm: 'batch_norm' },
  { attContext: [6, 1], attStyle: 'regular' },
  { attContext: [8, 3], causalDownsampling: false },
  { attContext: [8, 3], subsamplingFactor: 4 },
]

test('authorStreamingEncoder() gives the frames of the whole recording, whatever the chunks', async t => {
  for (const [i, change] of streams.entries()) {
    const encoder = { ...tinyStreamingConfig.encoder, ...change }
    const config = { ...tinyStreamingConfig, encoder }
    const schedule = { ...streamSchedule(encoder), ...(change.attContext![0] < 0 && { cacheSize: 64 }) }
    const weights = seededTdtWeights(config, tinySizes, i)
    const whole = await openGraph(t, authorEncoder(encoder, { name: 'whole', weights }))
    const stream = await openGraph(t, authorStreamingEncoder(encoder, schedule, { name: 'stream', weights }))
    for (const frames of [1, 9, 10, 57, 100, 131]) {
      const audio = soundOf(encoder.featIn, frames)
      const wanted = await whole.infer({ audio_signal: audio, length: int64(frames) })
      const got = await streamed(stream, { encoder, schedule }, audio)
      assert.equal(got.shape[2], Number(wanted.encoded_lengths!.data[0]), `${JSON.stringify(change)}, ${frames}`)
      // The zeros in front of a second chunk are NeMo's, and not those that the convolutions of a whole one see; and a
      // front that looks ahead sees no frames at the end of a chunk.
      if (schedule.shiftSize[0] < schedule.preEncode[1] || !encoder.causalDownsampling) continue
      const found = compare(got.data, numbers(wanted.outputs), close)
      assert.ok(found.isClose, `${JSON.stringify(change)}, ${frames}: ${found.maxAbs}`)
    }
  }
})

const soundOf = (bins: number, frames: number): FloatTensor =>
  float32(
    [1, bins, frames],
    Float32Array.from({ length: bins * frames }, (_, i) => 2 * Math.sin(i * 1.3 + (i % frames) * 0.7)),
  )

/** The final frames of all chunks of a stream, [1, D, T]. */
async function streamed(
  model: Backend,
  { encoder, schedule }: { encoder: EncoderConfig; schedule: StreamSchedule },
  audio: FloatTensor,
): Promise<FloatTensor> {
  const frames = audio.shape[2]!
  const { layers, width, convContext } = encoder
  const zeros = (...shape: number[]) => float32(shape, new Float32Array(shape.reduce((a, b) => a * b)))
  let caches: Feeds = {
    cache_last_channel: zeros(1, layers, schedule.cacheSize, width),
    cache_last_time: zeros(1, layers, width, convContext[0]),
    cache_last_channel_len: int64(0),
  }
  const parts: FloatTensor[] = []
  let at = { step: 0, frame: 0 }
  for (;;) {
    const next = nextChunk(schedule, at, { available: frames, isEnded: true })
    if (next === null) return joined(parts)
    const part = framesOf(audio, next.chunk)
    const results = await model.infer({
      ...caches,
      audio_signal: part,
      length: int64(part.shape[2]!),
      drop_extra_pre_encoded: int64(next.chunk.dropExtra),
    })
    const count = Math.min(next.chunk.keep, Number(results.encoded_lengths!.data[0]))
    parts.push(firstFrames(results.outputs as FloatTensor, count))
    caches = {
      cache_last_channel: copied(results.cache_last_channel_next!),
      cache_last_time: copied(results.cache_last_time_next!),
      cache_last_channel_len: int64(Number(results.cache_last_channel_next_len!.data[0])),
    }
    at = { step: at.step + 1, frame: next.frame }
  }
}

const copied = (tensor: Tensor) => float32(tensor.shape, Float32Array.from(tensor.data as Float32Array))

/** Zeros, then frames [from, to) of [1, bins, T]. */
function framesOf({ shape, data }: FloatTensor, { from, to, padding }: StreamChunk): FloatTensor {
  const [, bins, frames] = shape as [number, number, number]
  const count = padding + to - from
  const out = new Float32Array(bins * count)
  for (let b = 0; b < bins; b++) out.set(data.subarray(b * frames + from, b * frames + to), b * count + padding)
  return float32([1, bins, count], out)
}

/** Parts [1, D, t] one after the other. */
function joined(parts: readonly FloatTensor[]): FloatTensor {
  const depth = parts[0]!.shape[1]!
  const frames = parts.reduce((sum, { shape }) => sum + shape[2]!, 0)
  const out = new Float32Array(depth * frames)
  let at = 0
  for (const { shape, data } of parts) {
    const count = shape[2]!
    for (let d = 0; d < depth; d++) out.set(data.subarray(d * count, (d + 1) * count), d * frames + at)
    at += count
  }
  return float32([1, depth, frames], out)
}

test('authorEncoder() says which weight is absent', () => {
  const weights = seededTdtWeights(tinyConfig, tinySizes, 1)
  assert.throws(
    () => authorEncoder({ ...tinyConfig.encoder, layers: 9 }, { name: 'encoder', weights }),
    /Cannot seed the weight "encoder\.layers\.2\./,
  )
})

/** NeMo keeps caches as [layers, B, …]; the graphs take [B, layers, …]. B is 1. */
function batchFirst(tensor: Tensor): Tensor {
  const [layers, batch, ...rest] = tensor.shape
  return batch === undefined ? tensor : { ...tensor, shape: [batch, layers!, ...rest] }
}

/** The first `count` frames of [B, D, T]. */
function firstFrames({ shape, data }: FloatTensor, count: number): FloatTensor {
  const [batch, depth, frames] = shape as [number, number, number]
  const out = new Float32Array(batch * depth * count)
  for (let row = 0; row < batch * depth; row++) out.set(data.subarray(row * frames, row * frames + count), row * count)
  return float32([batch, depth, count], out)
}
