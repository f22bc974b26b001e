/**
 * Quantises numbers: activations, weights and biases.
 *
 * real = scale · (integer − zero point). Scales are float32, as ONNX holds them, and rounding is half to even, as
 * QuantizeLinear has it.
 */
import type { Range } from './range.ts'

/** Scales are not smaller than this: the product of two is still a normal float32. What lies below becomes zero. */
const leastScale = 2 ** -62

/** The greatest bias in integers: half of int32, so that the sum it starts does not overflow. */
const mostBias = 2 ** 30

/** Round half to even. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1
}

const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high)

/** The integers that activations become. `int8-symmetric` has its zero point at 0, as TensorRT wants it. */
export type ActivationType = 'uint8' | 'int8' | 'int8-symmetric'

/** The type of these integers in a tensor. */
export const integerTypeOf = (type: ActivationType): 'uint8' | 'int8' => (type === 'uint8' ? 'uint8' : 'int8')

/** real = scale · (integer − zero point). */
export interface Quantization {
  readonly scale: number
  readonly zeroPoint: number
}

/** 255 steps over a range, zero included and exactly represented; a tensor that is always zero gets scale 1. */
export function quantizationOf(range: Range, type: ActivationType): Quantization {
  const [min, max] = [Math.min(0, range.min), Math.max(0, range.max)]
  if (type === 'int8-symmetric') {
    const largest = Math.max(-min, max)
    return { scale: largest === 0 ? 1 : Math.fround(Math.max(largest / 127, leastScale)), zeroPoint: 0 }
  }
  const lowest = type === 'uint8' ? 0 : -128
  if (max === min) return { scale: 1, zeroPoint: lowest }
  const scale = Math.fround(Math.max((max - min) / 255, leastScale))
  return { scale, zeroPoint: clamp(roundHalfEven(lowest - min / scale), lowest, lowest + 255) }
}

/** A constant operand, asymmetric per tensor, in the type of the activations that it meets. */
export function quantizeConstant(
  values: Float32Array,
  type: ActivationType,
): Quantization & { data: Uint8Array | Int8Array } {
  let range: Range = { min: 0, max: 0 }
  for (const value of values) range = { min: Math.min(range.min, value), max: Math.max(range.max, value) }
  const { scale, zeroPoint } = quantizationOf(range, type)
  const lowest = type === 'uint8' ? 0 : -128
  const integers = values.map(value => clamp(roundHalfEven(value / scale) + zeroPoint, lowest, lowest + 255))
  return { scale, zeroPoint, data: type === 'uint8' ? Uint8Array.from(integers) : Int8Array.from(integers) }
}

/** A tensor seen as [outer, channels, inner] around one axis. */
interface Channels {
  readonly shape: readonly number[]
  /** null: one channel over all. */
  readonly axis: number | null
}

function channelsOf({ shape, axis }: Channels): { channels: number; channelAt: (i: number) => number } {
  if (axis === null) return { channels: 1, channelAt: () => 0 }
  const channels = shape[axis]!
  const inner = shape.slice(axis + 1).reduce((product, n) => product * n, 1)
  return { channels, channelAt: i => Math.floor(i / inner) % channels }
}

/**
 * Symmetric int8 (−127 … 127) per channel.
 * @param o.leastScales no scale is below these (see `leastWeightScales`); one a channel
 * @returns `scales` one a channel; 1 for a channel of zeros that no bias forces
 */
export function quantizeWeight(
  values: Float32Array,
  o: Channels & { leastScales?: readonly number[] },
): { data: Int8Array; scales: Float32Array } {
  const { channels, channelAt } = channelsOf(o)
  const largest = new Float64Array(channels)
  for (let i = 0; i < values.length; i++) {
    const channel = channelAt(i)
    largest[channel] = Math.max(largest[channel]!, Math.abs(values[i]!))
  }
  const scales = Float32Array.from(largest, (most, channel) => {
    const least = o.leastScales?.[channel] ?? 0
    return most === 0 && least === 0 ? 1 : Math.max(most / 127, least, leastScale)
  })
  const data = Int8Array.from(values, (value, i) => clamp(roundHalfEven(value / scales[channelAt(i)]!), -127, 127))
  return { data, scales }
}

/**
 * How small the scale of each weight channel may be before its bias leaves int32. A channel of tiny weights and a large
 * bias loses steps in its weights, which hardly count, instead of its bias, which is all that it says.
 */
export const leastWeightScales = (bias: Float32Array, inputScale: number): number[] =>
  Array.from(bias, b => Math.abs(b) / (inputScale * mostBias))

/** int32 at the scale of the products it is added to: input scale · weight scale of its channel. */
export function quantizeBias(
  bias: Float32Array,
  o: { inputScale: number; weightScales: Float32Array },
): { data: Int32Array; scales: Float32Array } {
  const scaleAt = (i: number) => o.inputScale * o.weightScales[i % o.weightScales.length]!
  const scales = Float32Array.from(bias, (_, i) => scaleAt(i))
  return {
    data: Int32Array.from(bias, (b, i) => clamp(roundHalfEven(b / scales[i]!), -(2 ** 31 - 1), 2 ** 31 - 1)),
    scales,
  }
}
