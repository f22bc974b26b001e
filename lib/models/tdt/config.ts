/**
 * The sizes and switches of a FastConformer-TDT model, as NeMo's configuration names them.
 */
import { usageError } from '../../base/errors.ts'

/** The encoder: a down-sampling front of convolutions and a stack of Conformer layers. */
export interface EncoderConfig {
  readonly featIn: number
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly convKernel: number
  readonly convNorm: 'batch_norm' | 'layer_norm'
  /** Frames that a convolution sees to the left and to the right. */
  readonly convContext: readonly [number, number]
  readonly subsamplingFactor: number
  readonly causalDownsampling: boolean
  /** Frames that attention sees to the left and to the right; −1 for all. */
  readonly attContext: readonly [number, number]
  readonly attStyle: 'regular' | 'chunked_limited'
  readonly xscaling: boolean
}

/** The predictor (an LSTM over pieces) and the joint. */
export interface DecoderConfig {
  readonly vocabSize: number
  readonly durations: readonly number[]
  readonly hidden: number
  readonly layers: number
  readonly jointHidden: number
  readonly activation: 'relu' | 'sigmoid' | 'tanh'
}

/** A whole model. */
export interface TdtConfig {
  readonly encoder: EncoderConfig
  readonly decoder: DecoderConfig
}

type Table = Readonly<Record<string, unknown>>

/**
 * The configuration that a `model_config.yaml` states.
 * @throws RunbookError usage when a value is absent, of the wrong kind, or names a variant that is not authored here
 */
export function tdtConfigFrom(config: Table): TdtConfig {
  const encoder = new Reader(config, 'encoder')
  const decoder = new Reader(config, 'decoder')
  const joint = new Reader(config, 'joint')
  encoder.only('subsampling', ['dw_striding'])
  encoder.only('self_attention_model', ['rel_pos'], 'rel_pos')
  const kernel = encoder.count('conv_kernel_size', 31)
  const vocabSize = decoder.count('vocab_size')
  const durations = durationsOf(config)
  if (joint.count('num_extra_outputs') !== durations.length)
    throw refusal(
      'joint.num_extra_outputs',
      `is ${joint.count('num_extra_outputs')}, and there are ${durations.length} durations`,
    )
  return {
    encoder: {
      featIn: encoder.count('feat_in'),
      layers: encoder.count('n_layers'),
      width: encoder.count('d_model'),
      heads: encoder.count('n_heads', 4),
      convKernel: kernel,
      convNorm: encoder.only('conv_norm_type', ['batch_norm', 'layer_norm'], 'batch_norm'),
      convContext: convContextOf(encoder.value('conv_context_size'), kernel),
      subsamplingFactor: encoder.count('subsampling_factor', 4),
      causalDownsampling: encoder.only('causal_downsampling', [true, false], false),
      ...attentionOf(encoder),
      xscaling: encoder.only('xscaling', [true, false], true),
    },
    decoder: {
      vocabSize,
      durations,
      hidden: decoder.count('prednet.pred_hidden'),
      layers: decoder.count('prednet.pred_rnn_layers'),
      jointHidden: joint.count('jointnet.joint_hidden'),
      activation: joint.only('jointnet.activation', ['relu', 'sigmoid', 'tanh']),
    },
  }
}

const refusal = (key: string, state: string) =>
  usageError(`Cannot author the model: ${key} ${state}`, 'give a FastConformer-TDT model with dw_striding')

class Reader {
  readonly #config: Table
  readonly #part: string

  constructor(config: Table, part: string) {
    this.#config = config
    this.#part = part
  }

  value(key: string): unknown {
    return [this.#part, ...key.split('.')].reduce<unknown>((value, step) => {
      const isTable = typeof value === 'object' && value !== null && Object.hasOwn(value, step)
      return isTable ? (value as Table)[step] : undefined
    }, this.#config)
  }

  count(key: string, usual?: number): number {
    const value = this.value(key) ?? usual
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number
    throw refusal(`${this.#part}.${key}`, `is ${JSON.stringify(value)}, and should be a count`)
  }

  list(key: string): number[] | undefined {
    const value = this.value(key)
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return undefined
    if (Array.isArray(value) && value.every(n => Number.isSafeInteger(n) && n >= 0)) return value as number[]
    throw refusal(`${this.#part}.${key}`, `is ${JSON.stringify(value)}, and should be a list of counts`)
  }

  /** One of some values; `usual` where the key is absent or null, as NeMo has it. */
  only<const T>(key: string, allowed: readonly T[], usual?: NoInfer<T>): T {
    const value = this.value(key) ?? usual
    if (allowed.includes(value as T)) return value as T
    const known = allowed.map(option => JSON.stringify(option) ?? 'absent').join(' or ')
    throw refusal(`${this.#part}.${key}`, `is ${JSON.stringify(value)}, and should be ${known}`)
  }
}

/** Durations stand in up to three places, and must be the same in all of them. */
function durationsOf(config: Table): readonly number[] {
  const places = { model_defaults: 'tdt_durations', decoding: 'durations', loss: 'tdt_kwargs.durations' }
  const found = Object.entries(places).flatMap(([part, key]) => {
    const durations = new Reader(config, part).list(key)
    return durations === undefined ? [] : [{ key: `${part}.${key}`, durations }]
  })
  const [first, ...others] = found
  if (first === undefined) throw refusal('model_defaults.tdt_durations', 'is undefined, and should be a list of counts')
  const other = others.find(({ durations }) => durations.join() !== first.durations.join())
  if (other === undefined) return first.durations
  throw refusal(other.key, `is [${other.durations.join(', ')}], and ${first.key} is [${first.durations.join(', ')}]`)
}

function convContextOf(value: unknown, kernel: number): readonly [number, number] {
  if (value === null || value === undefined) return [(kernel - 1) / 2, (kernel - 1) / 2]
  if (value === 'causal') return [kernel - 1, 0]
  const isPair = Array.isArray(value) && value.length === 2 && value.every(n => Number.isSafeInteger(n) && n >= 0)
  if (isPair && value[0] + value[1] + 1 === kernel) return [value[0], value[1]]
  throw refusal('encoder.conv_context_size', `is ${JSON.stringify(value)}, and the kernel is ${kernel}`)
}

/** A model may list several contexts; the first is its default. In chunks, whole chunks are seen. */
function attentionOf(encoder: Reader): Pick<EncoderConfig, 'attContext' | 'attStyle'> {
  const value = encoder.value('att_context_size') ?? [-1, -1]
  const attStyle = encoder.only('att_context_style', ['regular', 'chunked_limited'], 'regular')
  const pair: unknown = Array.isArray(value) && Array.isArray(value[0]) ? value[0] : value
  const isPair = Array.isArray(pair) && pair.length === 2 && pair.every(n => Number.isSafeInteger(n) && n >= -1)
  if (!isPair) throw refusal('encoder.att_context_size', `is ${JSON.stringify(value)}, and should be two counts or -1`)
  const [left, right] = pair as [number, number]
  if (attStyle === 'chunked_limited' && (right < 0 || (left > 0 && left % (right + 1) !== 0)))
    throw refusal('encoder.att_context_size', `is ${JSON.stringify(pair)}, which is no whole number of chunks`)
  return { attContext: [left, right], attStyle }
}
