/**
 * Says how large a Whisper is, and which weights that takes.
 *
 * The state dict's names are OpenAI's. Every size follows from the shapes of the weights themselves, so a configuration
 * file can only agree or be wrong.
 */
import { usageError } from '../../base/errors.ts'
import { describe, type FloatTensor } from '../../formats/tensors/tensor.ts'

/** Sizes of a Whisper. */
export interface WhisperDims {
  /** Mel bins: 80, or 128 in large-v3. */
  readonly mels: number
  /** Encoder frames of 20 ms: 1500 for 30 s. */
  readonly audioContext: number
  /** Width of both halves. */
  readonly width: number
  /** Attention heads, each of width 64. */
  readonly heads: number
  readonly encoderLayers: number
  readonly decoderLayers: number
  readonly vocabulary: number
  /** Longest sequence of tokens. */
  readonly textContext: number
}

/** Weights by OpenAI's names. */
export type WhisperWeights = ReadonlyMap<string, FloatTensor>

/** Width of one attention head, in every Whisper. */
export const headWidth = 64

/**
 * The names and shapes of a Whisper's weights.
 *
 * @example
 * ```ts
 * const tinyEn = { mels: 80, audioContext: 1500, width: 384, heads: 6, encoderLayers: 4, decoderLayers: 4 }
 * const specs = whisperWeightSpecs({ ...tinyEn, vocabulary: 51864, textContext: 448 })
 * assert.deepEqual(specs.get('decoder.token_embedding.weight'), [51864, 384])
 * ```
 */
export function whisperWeightSpecs(dims: WhisperDims): Map<string, readonly number[]> {
  const { width: d, mels, audioContext, textContext, vocabulary } = dims
  const specs = new Map<string, readonly number[]>([
    ['encoder.conv1.weight', [d, mels, 3]],
    ['encoder.conv1.bias', [d]],
    ['encoder.conv2.weight', [d, d, 3]],
    ['encoder.conv2.bias', [d]],
    ['encoder.positional_embedding', [audioContext, d]],
    ...norm('encoder.ln_post', d),
    ['decoder.token_embedding.weight', [vocabulary, d]],
    ['decoder.positional_embedding', [textContext, d]],
    ...norm('decoder.ln', d),
  ])
  const blocks = [
    ...Array.from({ length: dims.encoderLayers }, (_, i) => block(`encoder.blocks.${i}`, d, false)),
    ...Array.from({ length: dims.decoderLayers }, (_, i) => block(`decoder.blocks.${i}`, d, true)),
  ]
  for (const [name, shape] of blocks.flat()) specs.set(name, shape)
  return specs
}

type Spec = [string, readonly number[]]
const norm = (name: string, d: number): Spec[] => [
  [`${name}.weight`, [d]],
  [`${name}.bias`, [d]],
]
const linear = (name: string, inputs: number, outputs: number): Spec[] => [
  [`${name}.weight`, [outputs, inputs]],
  [`${name}.bias`, [outputs]],
]
const attention = (name: string, d: number): Spec[] => [
  ...norm(`${name}_ln`, d),
  ...linear(`${name}.query`, d, d),
  [`${name}.key.weight`, [d, d]],
  ...linear(`${name}.value`, d, d),
  ...linear(`${name}.out`, d, d),
]
const block = (name: string, d: number, cross: boolean): Spec[] => [
  ...attention(`${name}.attn`, d),
  ...(cross ? attention(`${name}.cross_attn`, d) : []),
  ...norm(`${name}.mlp_ln`, d),
  ...linear(`${name}.mlp.0`, d, 4 * d),
  ...linear(`${name}.mlp.2`, 4 * d, d),
]

/**
 * The sizes that the weights say, after every weight was found, of the right shape, and no other.
 * @param source what messages call the weights, usually a path
 * @throws RunbookError usage when a weight is missing, strange, or of another shape than the others imply
 */
export function dimsOf(weights: WhisperWeights, source: string): WhisperDims {
  const shape = (name: string, rank: number) => {
    const found = weights.get(name)
    if (found?.shape.length === rank) return found.shape
    const state = found ? `"${name}" is ${describe(found)}` : `it has no "${name}"`
    throw wrong(source, state)
  }
  const [width, mels] = shape('encoder.conv1.weight', 3) as [number, number]
  const layers = (half: string) => {
    let count = 0
    while (weights.has(`${half}.blocks.${count}.attn.query.weight`)) count++
    return count
  }
  const dims = {
    mels,
    width,
    heads: width / headWidth,
    audioContext: shape('encoder.positional_embedding', 2)[0]!,
    encoderLayers: layers('encoder'),
    decoderLayers: layers('decoder'),
    vocabulary: shape('decoder.token_embedding.weight', 2)[0]!,
    textContext: shape('decoder.positional_embedding', 2)[0]!,
  }
  if (!Number.isInteger(dims.heads)) throw wrong(source, `its width ${width} is no multiple of ${headWidth}`)
  const specs = whisperWeightSpecs(dims)
  for (const [name, want] of specs) {
    const found = weights.get(name)
    if (found === undefined) throw wrong(source, `it has no "${name}"`)
    if (found.shape.join() === want.join()) continue
    throw wrong(source, `"${name}" is ${describe(found)}, and the other weights imply [${want.join(', ')}]`)
  }
  for (const name of weights.keys()) if (!specs.has(name)) throw wrong(source, `it has "${name}", which no Whisper has`)
  return dims
}

const wrong = (source: string, state: string) =>
  usageError(`Cannot take the weights of "${source}": ${state}`, 'give the weights of one Whisper, whole')
