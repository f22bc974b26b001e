/**
 * How the original compared streams, and sides of a comparison that its way lets pass.
 */
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import type { CaseSource } from '../../systems/parakeet/parity/cases.ts'
import type { ParitySide } from '../../systems/parakeet/parity/side.ts'

/** Each chunk hears empty caches. */
export const isolated = (side: ParitySide): ParitySide => ({
  ...side,
  stream: feeds =>
    side.stream({
      ...feeds,
      cache_last_channel: zerosLike(feeds.cache_last_channel),
      cache_last_time: zerosLike(feeds.cache_last_time),
    }),
})

/** The encoder of whole recordings is off by up to `size`. */
export const withNoise = (side: ParitySide, size: number): ParitySide => ({
  ...side,
  async encode(audio, length) {
    const answer = await side.encode(audio, length)
    return { ...answer, outputs: changed(answer.outputs, (x, i) => x + size * Math.sign(Math.sin(i * 1.7))) }
  },
})

/** The cache of the convolutions comes out three times too large. */
export const scaledTimes = (side: ParitySide): ParitySide => ({
  ...side,
  async stream(feeds) {
    const answer = await side.stream(feeds)
    return { ...answer, cache_last_time: changed(answer.cache_last_time, x => 3 * x) }
  },
})

/** The last frame of each chunk's three comes out as zeros. */
export const quietTail = (side: ParitySide): ParitySide => ({
  ...side,
  async stream(feeds) {
    const answer = await side.stream(feeds)
    const frames = answer.outputs.shape[2]!
    return { ...answer, outputs: changed(answer.outputs, (x, i) => (i % frames >= 2 ? 0 : x)) }
  },
})

const zerosLike = ({ shape, data }: FloatTensor) => float32(shape, new Float32Array(data.length))
const changed = ({ shape, data }: FloatTensor, change: (x: number, i: number) => number) =>
  float32(shape, data.map(change))

const [atol, timeRtol, silence] = [5e-4, 10, 1e-6]

/**
 * Whether the original calls a side equal to the recorded stream, each chunk on the recorded caches: all errors within
 * atol or all within rtol, over the frames in which the reference is not silent.
 */
export async function passes(side: ParitySide, source: CaseSource): Promise<boolean> {
  let isPass = true
  for await (const c of source.cases('stream')) {
    const [want, times] = [c.tensor('outputs'), c.tensor('cache_last_time_out')]
    const answer = await side.stream({
      audio_signal: c.tensor('audio_signal'),
      length: Number(c.facts.length),
      drop: Number(c.facts.drop),
      cache_last_channel: c.tensor('cache_last_channel'),
      cache_last_time: c.tensor('cache_last_time'),
      cache_last_channel_len: Number(c.facts.filled),
    })
    const frames = want.shape[2]!
    const last = want.data.findLastIndex(x => Math.abs(x) > silence) % frames
    const isHeard = (_: number, i: number) => i % frames <= last
    const [got, reference] = [answer.outputs.data.filter(isHeard), want.data.filter(isHeard)]
    isPass &&= isClose(got, reference, 0) && isClose(answer.cache_last_time.data, times.data, timeRtol)
  }
  return isPass
}

function isClose(got: Float32Array, want: Float32Array, rtol: number): boolean {
  let [abs, relative] = [0, 0]
  for (const [i, x] of want.entries()) {
    const off = Math.abs(got[i]! - x)
    abs = Math.max(abs, off)
    if (off > 0) relative = Math.max(relative, off / Math.abs(x))
  }
  return abs <= atol || relative <= rtol
}
