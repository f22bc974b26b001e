/**
 * Gives a FastConformer-TDT model weights that nobody has trained: seeded, and made one at a time.
 *
 * The text of such a model means nothing. It is there so that every step from sound to text can be run, compared and
 * timed: signals keep their size through the layers, blank leads often, and all durations occur.
 */
import { usageError } from '../../base/errors.ts'
import { float32, sizeOf, type FloatTensor } from '../../formats/tensors/tensor.ts'
import type { DecoderConfig, EncoderConfig, TdtConfig } from './config.ts'
import type { WeightSource } from './net.ts'

/** Width of the feed-forward layers and of the front's convolutions, which NeMo's weights show by their shapes. */
export interface HiddenSizes {
  readonly feedForward: number
  readonly convChannels: number
  readonly bias: boolean
}

/** A weight that the model has: its shape, and how it is filled. */
interface Spec {
  readonly shape: readonly number[]
  readonly kind: 'matrix' | 'bias' | 'one' | 'zero' | 'embedding' | 'logits' | 'logit-bias'
}

/**
 * Seeded weights by NeMo's names. The same seed gives the same bits on every machine.
 * @throws RunbookError usage from `read` when the model has no such weight
 */
export function seededTdtWeights(config: TdtConfig, sizes: HiddenSizes, seed: number): WeightSource {
  const specs = new Map([...encoderSpecs(config.encoder, sizes), ...decoderSpecs(config.decoder, config.encoder.width)])
  return {
    has: name => specs.has(name),
    read(name) {
      const spec = specs.get(name)
      if (spec === undefined)
        throw usageError(`Cannot seed the weight "${name}": the model has none of that name`, 'check the configuration')
      return filled(spec, config.decoder, hash(`${seed}/${name}`))
    },
  }
}

/** The names of all weights and their shapes, in a fixed order. */
export const tdtWeightShapes = (config: TdtConfig, sizes: HiddenSizes): Map<string, readonly number[]> =>
  new Map(
    [...encoderSpecs(config.encoder, sizes), ...decoderSpecs(config.decoder, config.encoder.width)].map(
      ([name, spec]) => [name, spec.shape] as const,
    ),
  )

type Entry = readonly [string, Spec]
const matrix = (...shape: number[]): Spec => ({ shape, kind: 'matrix' })
const bias = (n: number): Spec => ({ shape: [n], kind: 'bias' })

function* encoderSpecs(config: EncoderConfig, sizes: HiddenSizes): Generator<Entry> {
  const { convChannels: channels } = sizes
  const pre = 'encoder.pre_encode'
  let bins = config.featIn
  const steps = Math.log2(config.subsamplingFactor)
  for (let step = 0; step < steps; step++) {
    const at = step === 0 ? 0 : 3 * step - 1
    yield [`${pre}.conv.${at}.weight`, matrix(channels, 1, 3, 3)]
    yield [`${pre}.conv.${at}.bias`, bias(channels)]
    if (step > 0) yield [`${pre}.conv.${at + 1}.weight`, matrix(channels, channels, 1, 1)]
    if (step > 0) yield [`${pre}.conv.${at + 1}.bias`, bias(channels)]
    bins = Math.floor((bins + (config.causalDownsampling ? 0 : -1)) / 2) + 1
  }
  yield [`${pre}.out.weight`, matrix(config.width, channels * bins)]
  yield [`${pre}.out.bias`, bias(config.width)]
  for (let i = 0; i < config.layers; i++) yield* layerSpecs(config, sizes, `encoder.layers.${i}`)
}

function* layerSpecs(
  { width, heads, convKernel, convNorm }: EncoderConfig,
  sizes: HiddenSizes,
  p: string,
): Generator<Entry> {
  const linear = function* (name: string, out: number, from: number, ...rest: number[]): Generator<Entry> {
    yield [`${p}.${name}.weight`, matrix(out, from, ...rest)]
    if (sizes.bias) yield [`${p}.${name}.bias`, bias(out)]
  }
  const norm = function* (name: string): Generator<Entry> {
    yield [`${p}.${name}.weight`, { shape: [width], kind: 'one' }]
    yield [`${p}.${name}.bias`, bias(width)]
  }
  for (const name of ['feed_forward1', 'feed_forward2']) {
    yield* norm(`norm_${name}`)
    yield* linear(`${name}.linear1`, sizes.feedForward, width)
    yield* linear(`${name}.linear2`, width, sizes.feedForward)
  }
  yield* norm('norm_self_att')
  for (const name of ['linear_q', 'linear_k', 'linear_v', 'linear_out'])
    yield* linear(`self_attn.${name}`, width, width)
  yield [`${p}.self_attn.linear_pos.weight`, matrix(width, width)]
  for (const name of ['pos_bias_u', 'pos_bias_v']) yield [`${p}.self_attn.${name}`, matrix(heads, width / heads)]
  yield* norm('norm_conv')
  yield* linear('conv.pointwise_conv1', 2 * width, width, 1)
  yield* linear('conv.depthwise_conv', width, 1, convKernel)
  yield* norm('conv.batch_norm')
  if (convNorm === 'batch_norm') {
    yield [`${p}.conv.batch_norm.running_mean`, bias(width)]
    yield [`${p}.conv.batch_norm.running_var`, { shape: [width], kind: 'one' }]
  }
  yield* linear('conv.pointwise_conv2', width, width, 1)
  yield* norm('norm_out')
}

function* decoderSpecs(config: DecoderConfig, width: number): Generator<Entry> {
  const { hidden, layers, jointHidden, vocabSize, durations } = config
  yield ['decoder.prediction.embed.weight', { shape: [vocabSize + 1, hidden], kind: 'embedding' }]
  for (let i = 0; i < layers; i++)
    for (const kind of ['ih', 'hh']) {
      yield [`decoder.prediction.dec_rnn.lstm.weight_${kind}_l${i}`, matrix(4 * hidden, hidden)]
      yield [`decoder.prediction.dec_rnn.lstm.bias_${kind}_l${i}`, bias(4 * hidden)]
    }
  yield ['joint.enc.weight', matrix(jointHidden, width)]
  yield ['joint.enc.bias', bias(jointHidden)]
  yield ['joint.pred.weight', matrix(jointHidden, hidden)]
  yield ['joint.pred.bias', bias(jointHidden)]
  const outputs = vocabSize + 1 + durations.length
  yield ['joint.joint_net.2.weight', { shape: [outputs, jointHidden], kind: 'logits' }]
  yield ['joint.joint_net.2.bias', { shape: [outputs], kind: 'logit-bias' }]
}

/** FNV-1a, so that each weight has a stream of its own. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0 || 1
}

/** Uniform numbers of mean 0 and deviation 1. */
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return ((state >>> 0) / 2 ** 31 - 1) * Math.sqrt(3)
  }
}

function filled({ shape, kind }: Spec, decoder: DecoderConfig, seed: number): FloatTensor {
  const next = uniform(seed)
  const fanIn = sizeOf(shape.slice(1))
  const scale = { matrix: 1.4 / Math.sqrt(fanIn), bias: 0.05, one: 0.05, embedding: 1, logits: 4 / Math.sqrt(fanIn) }
  const data = new Float32Array(sizeOf(shape))
  const size = kind === 'zero' ? 0 : (scale[kind as keyof typeof scale] ?? 0.3)
  for (let i = 0; i < data.length; i++) data[i] = (kind === 'one' ? 1 : 0) + size * next()
  // The row of blank is what the predictor hears before the first token: NeMo keeps it at zero.
  if (kind === 'embedding') data.fill(0, decoder.vocabSize * decoder.hidden)
  // Blank leads about as often as in speech: the maximum of V scores lies near sqrt(2 ln V) deviations.
  if (kind === 'logit-bias') data[decoder.vocabSize]! += 2.2 * Math.sqrt(2 * Math.log(decoder.vocabSize))
  return float32(shape, data)
}
