/**
 * Makes weights for a graph that nobody has trained.
 *
 * Deliberate ones, so that the whole path can be checked although the network knows nothing about voices:
 * 1. The encoder's taps are orthogonal columns and the decoder is half their pseudo-inverse. Two frames cover each
 *   sample, so analysis and synthesis without a mask give the signal back.
 * 2. With two sources and a sigmoid, the mask layer of the second source is the negative of the first's. The masks sum
 *   to one, so the separated signals sum to the mixture ("mixture consistency"). A linear mask gets the same by biases
 *   that sum to one.
 * 3. Variances follow He et al. (2015), so that activations keep their range through ReLU and int8 has something to
 *   quantise, and the masks spread over (0, 1). A wrong stride, pad, order of channels or halo breaks 1 or 2 at once.
 *   The two voices are NOT separated: a score on such weights says nothing about quality. The same seed gives the same
 *   bits on every machine: integers, + - * / and Math.sqrt only.
 */
import { usageError } from '../../base/errors.ts'
import { float32, sizeOf, type Tensor } from '../../formats/tensors/tensor.ts'
import { dilationsOf, sourcesOf, type ConvTasNetOptions } from './options.ts'
import type { WeightSpec } from '../weights-file.ts'
import { weightSpecs } from './weight-specs.ts'

/** Whether the sources of these weights sum to the mixture (at the latent rate for `conv1x1_head`). */
export const isMixtureConsistent = (o: ConvTasNetOptions): boolean =>
  sourcesOf(o) === 2 && o.maskMulMode === 'normal' && (o.maskAct === 'sigmoid' || o.maskAct === 'linear')

/**
 * Deterministic weights by name.
 *
 * @throws RunbookError usage when there are fewer filters than taps, which loses the signal
 */
export function seededWeights(o: ConvTasNetOptions): Map<string, Tensor> {
  if (o.nFilters < o.kernelSize) {
    throw usageError(
      `Cannot seed a ConvTasNet with nFilters ${o.nFilters}: ` +
        `fewer than the ${o.kernelSize} taps of a frame lose the signal`,
      `take ${o.kernelSize} filters or more, or your own weights`,
    )
  }
  const fixed = structuredWeights(o)
  const blocks = Math.max(1, dilationsOf(o).length)
  return new Map(
    weightSpecs(o).map(spec => {
      const data = fixed.get(spec.name)?.() ?? randomWeights(spec, o, blocks)
      return [spec.name, float32(spec.shape, data)]
    }),
  )
}

/** Rms of the signal that the encoder lifts to an rms of one: speech at a usual level. */
const signalRms = 0.1

function structuredWeights(o: ConvTasNetOptions): Map<string, () => Float32Array> {
  const taps = orthonormalColumns(o.nFilters, o.kernelSize, normals(`${o.seed}/encoder.weight`))
  const gain = Math.sqrt(o.nFilters / o.kernelSize) / signalRms
  const encoder = Float32Array.from(taps, tap => tap * gain)
  const inverse = (share: number) => Float32Array.from(taps, tap => (share * tap) / gain)
  const zeros = () => new Float32Array(sourcesOf(o))
  const weights = new Map<string, () => Float32Array>([
    ['encoder.weight', () => encoder],
    ['source_projector.weight', () => stackedIdentity(o)],
    ['masker.mask.weight', () => pairedMask(o, 'weight')],
    ['masker.mask.bias', () => pairedMask(o, 'bias')],
    ['decoder.bias', zeros],
  ])
  if (o.decoderMode === 'conv1x1_head') return weights.set('decoder.weight', () => centreSampleHead(o, inverse(1)))
  if (o.decoderMode === 'polyphase' || o.decoderMode === 'deconv')
    return weights.set('decoder.weight', () => inverse(0.5))
  const reduced = weightSpecs(o).find(spec => spec.name === 'decoder.weight')!.shape[0]!
  const width = sourcesOf(o) * o.kernelSize
  const mixing = orthonormalColumns(reduced, width, normals(`${o.seed}/decoder.weight`))
  return weights
    .set('decoder.weight', () => Float32Array.from(mixing))
    .set('decoder.reduce.weight', () => reduceThrough(mixing, inverse(0.5), o))
}

/** Row `s * N + n` hands on filter n. */
function stackedIdentity(o: ConvTasNetOptions): Float32Array {
  const rows = sourcesOf(o) * o.nFilters
  const weights = new Float32Array(rows * o.nFilters)
  for (let row = 0; row < rows; row++) weights[row * o.nFilters + (row % o.nFilters)] = 1
  return weights
}

/** Standard deviation of the mask's logits: wide enough that masks are no grey 0.5, narrow enough that few saturate. */
const maskSpread = 1.5

function pairedMask(o: ConvTasNetOptions, kind: 'weight' | 'bias'): Float32Array {
  const draw = normals(`${o.seed}/masker.mask.${kind}`)
  const size = sourcesOf(o) * o.nFilters * (kind === 'weight' ? o.skipChan : 1)
  const scale = kind === 'weight' ? maskSpread / Math.sqrt(o.skipChan) : maskSpread / 2
  const weights = Float32Array.from({ length: size }, () => draw() * scale)
  if (!isMixtureConsistent(o)) return weights
  const half = size / 2
  const whole = kind === 'bias' && o.maskAct === 'linear' ? 1 : 0
  for (let i = 0; i < half; i++) weights[half + i] = whole - weights[i]!
  return weights
}

/**
 * The head answers with one sample a frame, the one at the frame's centre, so the two sources sum to the decimated
 * mixture.
 */
function centreSampleHead(o: ConvTasNetOptions, inverse: Float32Array): Float32Array {
  const sources = sourcesOf(o)
  const weights = new Float32Array(sources * sources * o.nFilters)
  for (let s = 0; s < sources; s++) {
    for (let n = 0; n < o.nFilters; n++)
      weights[(s * sources + s) * o.nFilters + n] = inverse[n * o.kernelSize + o.stride]!
  }
  return weights
}

/**
 * The exact decoder sent through an orthonormal mixing of the reduced channels, which the transposed convolution
 * undoes.
 */
function reduceThrough(mixing: Float64Array, inverse: Float32Array, o: ConvTasNetOptions): Float32Array {
  const sources = sourcesOf(o)
  const width = sources * o.kernelSize
  const reduced = mixing.length / width
  const weights = new Float32Array(reduced * sources * o.nFilters)
  for (let r = 0; r < reduced; r++) {
    for (let column = 0; column < sources * o.nFilters; column++) {
      const source = Math.floor(column / o.nFilters)
      let sum = 0
      for (let k = 0; k < o.kernelSize; k++) {
        sum += mixing[r * width + source * o.kernelSize + k]! * inverse[(column % o.nFilters) * o.kernelSize + k]!
      }
      weights[r * sources * o.nFilters + column] = sum
    }
  }
  return weights
}

/** Weights and biases of the masker. Residual and skip share the variance of one among all blocks. */
function randomWeights({ name, shape }: WeightSpec, o: ConvTasNetOptions, blocks: number): Float32Array {
  const draw = normals(`${o.seed}/${name}`)
  const fanIn = sizeOf(shape.slice(1))
  const isNorm = /norm\d?\.weight$/.test(name)
  if (isNorm && o.normMode === 'identity') return new Float32Array(sizeOf(shape)).fill(1)
  const scale =
    isNorm || name.endsWith('.bias')
      ? 0.1
      : /\.(expand|depthwise)\./.test(name)
        ? Math.sqrt(2 / fanIn)
        : /\.(residual|skip)\./.test(name)
          ? Math.sqrt(1 / (fanIn * blocks))
          : Math.sqrt(1 / fanIn)
  return Float32Array.from({ length: sizeOf(shape) }, () => (isNorm ? 1 : 0) + draw() * scale)
}

/**
 * A rows x columns matrix, row-major, with columns of length one at right angles. Gram and Schmidt, twice, to rounding.
 */
function orthonormalColumns(rows: number, columns: number, draw: () => number): Float64Array {
  const matrix = Float64Array.from({ length: rows * columns }, draw)
  const dot = (a: number, b: number) => {
    let sum = 0
    for (let r = 0; r < rows; r++) sum += matrix[r * columns + a]! * matrix[r * columns + b]!
    return sum
  }
  for (let c = 0; c < columns; c++) {
    for (let earlier = 0; earlier < 2 * c; earlier++) {
      const along = dot(c, earlier % c)
      for (let r = 0; r < rows; r++) matrix[r * columns + c]! -= along * matrix[r * columns + (earlier % c)]!
    }
    const length = Math.sqrt(dot(c, c))
    for (let r = 0; r < rows; r++) matrix[r * columns + c]! /= length
  }
  return matrix
}

/**
 * Nearly normal numbers, mean 0 and variance 1, never beyond 3.5: sums of four 16-bit uniforms from Marsaglia's
 * xorshift32 ("Xorshift RNGs", 2003), started from a hash (FNV-1a) of the key, so that no tensor depends on the ones
 * before it.
 */
export function normals(key: string): () => number {
  let state = 0x811c9dc5
  for (const character of key) state = Math.imul(state ^ character.codePointAt(0)!, 0x01000193)
  if (state === 0) state = 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  }
  for (let i = 0; i < 8; i++) next()
  const deviation = 65536 / Math.sqrt(3)
  return () => {
    const a = next()
    const b = next()
    return ((a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff) - 131070) / deviation
  }
}
