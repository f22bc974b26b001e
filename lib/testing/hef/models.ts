/**
 * Small models that tests run on the stand-in for HailoRT.
 *
 * Convolutions along the width, in our own HEFs, with the float weights that they were quantised from: what a device
 * answers can be compared with what the numbers mean.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  quantizedLayer,
  writeHef,
  type HefDescription,
  type HefModel,
  type Levels,
  type StreamDescription,
} from './write.ts'

/** A small model with its float weights. */
export interface TinyModel {
  readonly hef: Uint8Array
  readonly model: HefModel
  /** What the float weights give for one input of `width` samples: `features` values for each, per output. */
  reference(input: Float32Array): Float32Array[]
  readonly inputLevels: Levels
  readonly outputLevels: readonly Levels[]
}

/** What the stand-in of a profile is by default, so that one HEF fits it. */
export const archOf = (profile: 'A' | 'B' | 'C' | 'D'): 'hailo8' | 'hailo15h' =>
  profile === 'D' ? 'hailo15h' : 'hailo8'

const inputLevels = { zeroPoint: 128, scale: 2 / 255 }
const hiddenLevels = { zeroPoint: 0, scale: 2 / 255 }
const outputLevels = [
  { zeroPoint: 120, scale: 3 / 255 },
  { zeroPoint: 100, scale: 2 / 255 },
]
const hidden = 4
const taps = 3
const outputFeatures = [2, 1]

/** A few numbers in [-0.5, 0.5) that are the same each time. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from(
    { length: count },
    () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648 - 0.5,
  )
}

/**
 * One input `net/mix` of [1, width, 1], a convolution with a ReLU, and two outputs: `net/voices` with two features,
 * `net/noise` with one.
 */
export function tinyModel(
  o: { width?: number; arch?: HefDescription['arch']; hefVersion?: HefDescription['version'] } = {},
): TinyModel {
  const { width = 64, arch = 'hailo8', hefVersion = 0 } = o
  const [first, firstBias] = [numbers(hidden * taps, 1), numbers(hidden, 2)]
  const heads = outputFeatures.map((features, i) => ({
    weights: numbers(features * hidden, 3 + i),
    bias: numbers(features, 5 + i),
  }))
  const model: HefModel = {
    inputs: 1,
    outputs: 2,
    layers: [
      quantizedLayer({
        source: 0,
        target: 3,
        height: 1,
        width,
        taps,
        isRelu: true,
        weights: first,
        bias: firstBias,
        from: inputLevels,
        to: hiddenLevels,
      }),
      ...heads.map(({ weights, bias }, i) =>
        quantizedLayer({
          source: 3,
          target: 1 + i,
          height: 1,
          width,
          weights,
          bias,
          from: hiddenLevels,
          to: outputLevels[i]!,
        }),
      ),
    ],
  }
  const stream = (name: string, features: number, levels: Levels): StreamDescription => ({
    name,
    shape: { height: 1, width, features },
    quantization: { ...levels, min: -1, max: 1 },
  })
  const hef = writeHef({
    arch,
    version: hefVersion,
    model,
    ...(arch === 'hailo15h' && { sdkVersion: '5.2.0' }),
    groups: [
      {
        name: 'net',
        bottleneckFps: 1234.5,
        inputs: [stream('net/mix', 1, inputLevels)],
        outputs: [stream('net/voices', 2, outputLevels[0]!), stream('net/noise', 1, outputLevels[1]!)],
      },
    ],
  })
  const reference = (input: Float32Array) => {
    const middle = convolve(input, { width, sourceFeatures: 1, taps, weights: first, bias: firstBias }).map(x =>
      Math.max(0, x),
    )
    return heads.map(({ weights, bias }) => convolve(middle, { width, sourceFeatures: hidden, taps: 1, weights, bias }))
  }
  return { hef, model, reference, inputLevels, outputLevels }
}

function convolve(
  input: Float32Array,
  o: { width: number; sourceFeatures: number; taps: number; weights: Float32Array; bias: Float32Array },
): Float32Array {
  const features = o.bias.length
  return Float32Array.from({ length: o.width * features }, (_, at) => {
    const [x, feature] = [Math.floor(at / features), at % features]
    let sum = o.bias[feature]!
    for (let tap = 0; tap < o.taps; tap++) {
      const from = x + tap - (o.taps - 1) / 2
      if (from < 0 || from >= o.width) continue
      for (let i = 0; i < o.sourceFeatures; i++) {
        const weight = (feature * o.taps + tap) * o.sourceFeatures + i
        sum += o.weights[weight]! * input[from * o.sourceFeatures + i]!
      }
    }
    return sum
  })
}

/** Bytes as the stand-in quantises them, rounding halves to even as the device's library does. */
export function quantize(values: Float32Array, { zeroPoint, scale }: Levels): Uint8Array {
  return Uint8Array.from(values, value => {
    const q = Math.fround(Math.fround(value / Math.fround(scale)) + zeroPoint)
    const down = Math.floor(q)
    const even = q - down === 0.5 ? down + (down % 2) : Math.round(q)
    return Math.min(255, Math.max(0, even))
  })
}

/** The numbers that bytes stand for. */
export const dequantize = (bytes: Uint8Array, { zeroPoint, scale }: Levels): Float32Array =>
  Float32Array.from(bytes, q => Math.fround(q - zeroPoint) * Math.fround(scale))

/** A file with these bytes, in a folder that is gone after `body`. */
export async function withHefFile<T>(bytes: Uint8Array, body: (path: string) => Promise<T> | T): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'hef-'))
  try {
    const path = join(folder, 'model.hef')
    writeFileSync(path, bytes)
    return await body(path)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
