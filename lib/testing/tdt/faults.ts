/**
 * Faults that a port of a TDT model may have, seeded into one side of a comparison.
 */
import { float32, type FloatTensor } from '../../formats/tensors/tensor.ts'
import type { WeightSource } from '../../models/tdt/net.ts'
import type { ParitySide, StreamAnswer } from '../../systems/parakeet/parity/side.ts'

/** The two states of the predictor exchanged from one step to the next. */
export const transposedState = (side: ParitySide): ParitySide => ({
  ...side,
  async predict(token, state) {
    const { g, h, c } = await side.predict(token, state)
    return { g, h: c, c: h }
  },
})

/** The joint gives log-probabilities over all its outputs, tokens and durations together. */
export const softmaxedJoint = (side: ParitySide): ParitySide => ({
  ...side,
  async join(rows, g) {
    const logits = await side.join(rows, g)
    const [count, width] = logits.shape as [number, number]
    const data = Float32Array.from(logits.data)
    for (let row = 0; row < count; row++) {
      const part = data.subarray(row * width, (row + 1) * width)
      const top = part.reduce((a, b) => Math.max(a, b), -Infinity)
      const log = top + Math.log(part.reduce((sum, x) => sum + Math.exp(x - top), 0))
      for (let i = 0; i < width; i++) part[i]! -= log
    }
    return float32(logits.shape, data)
  },
})

/** The duration outputs stand one place further on, so that every choice means another number of frames. */
export const shiftedDurations = (side: ParitySide): ParitySide => ({
  ...side,
  async join(rows, g) {
    const logits = await side.join(rows, g)
    const [count, width] = logits.shape as [number, number]
    const durations = side.meta.decode.duration_values.length
    const data = Float32Array.from(logits.data)
    for (let row = 0; row < count; row++) {
      const from = row * width + width - durations
      for (let i = 0; i < durations; i++) data[from + i] = logits.data[from + ((i + 1) % durations)]!
    }
    return float32(logits.shape, data)
  },
})

/** Every chunk after the first hears the caches of the chunk before last. */
export function staleCache(side: ParitySide): ParitySide {
  let before: StreamAnswer | null = null
  return {
    ...side,
    async stream(feeds) {
      const answer = await side.stream(feeds)
      const stale = before
      before = answer
      if (stale === null || feeds.cache_last_channel_len === 0) return answer
      return { ...answer, cache_last_channel: stale.cache_last_channel, cache_last_time: stale.cache_last_time }
    },
  }
}

/** The weights of the encoder with the ten bits of mantissa that TF32 keeps. */
export const tf32Weights = (weights: WeightSource): WeightSource => ({
  has: weights.has,
  read(name) {
    const tensor = weights.read(name)
    return name.startsWith('encoder.') ? rounded(tensor) : tensor
  },
})

function rounded({ shape, data }: FloatTensor): FloatTensor {
  const bits = new Uint32Array(Float32Array.from(data).buffer)
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i]! + 0x1000) & 0xffff_e000
  return float32(shape, new Float32Array(bits.buffer))
}
