/**
 * Where a model to be exported comes from: a `.nemo`, or a seed.
 */
import { usageError } from '../../../base/errors.ts'
import { configValue, type NemoFile } from '../../../formats/nemo/open.ts'
import type { TorchTensor } from '../../../formats/torch/read.ts'
import { byteLengthOf } from '../../../formats/tensors/tensor-bytes.ts'
import { sizeOf, type FloatTensor } from '../../../formats/tensors/tensor.ts'
import { sha256, sha256File } from '../../../host/digest.ts'
import { checkConfigKeys } from '../../../models/tdt/config/keys.ts'
import { tdtConfigFrom, type TdtConfig } from '../../../models/tdt/config.ts'
import type { WeightSource } from '../../../models/tdt/net.ts'
import { seededTdtWeights, tdtWeightShapes, type HiddenSizes } from '../../../models/tdt/seeded-weights.ts'
import { tinyConfig, tinySizes, tinyStreamingConfig } from '../../../models/tdt/synthetic.ts'
import { piecesFromModel } from '../../../speech/pieces.ts'
import type { ParakeetContract } from '../contract/read.ts'
import { modelPartsOf, scheduleFor, type FeatureMeta } from '../model/meta.ts'
import type { ModelToWrite } from './write-model.ts'

/** Models that can be authored from a seed. */
export const syntheticShapes = ['tiny', 'tiny-streaming', 'full'] as const
/** One of them. */
export type SyntheticShape = (typeof syntheticShapes)[number]

/**
 * The model of an open `.nemo`. Values that its configuration leaves out are NeMo's defaults.
 * @param o.accept keys of the configuration that nothing here knows, and that have no effect as the user says
 * @throws RunbookError usage when the configuration is of another kind of model or holds a key that is not known, or
 *   weights are absent or no float32
 */
export function modelFromNemo(
  nemo: NemoFile,
  contract: ParakeetContract,
  o: { readonly accept?: readonly string[] } = {},
): ModelToWrite {
  checkConfigKeys(nemo.config, o.accept)
  const config = tdtConfigFrom(nemo.config)
  const tensors = nemo.weights()
  const maxSymbols = maxSymbolsOf(nemo, contract)
  const features = featuresOf(nemo, contract)
  if (features.n_mels !== config.encoder.featIn)
    throw refusal(nemo.path, `encoder.feat_in is ${config.encoder.featIn}, and the front end has ${features.n_mels}`)
  const tokenizerName = configValue(nemo.config, 'tokenizer.model_path')
  const tokenizer = typeof tokenizerName === 'string' ? nemo.artifact(tokenizerName) : undefined
  return {
    name: 'from-nemo',
    config,
    weights: weightsFrom(tensors, nemo.path),
    weightBytes: [...tensors.values()].reduce((sum, { dtype, shape }) => sum + byteLengthOf(dtype, shape), 0),
    source: { nemo_sha256: sha256File(nemo.path), model_config_sha256: sha256(nemo.configText) },
    features,
    parts: modelPartsOf(config, { maxSymbols, frameShiftMs: (1000 * features.hop_length) / features.sample_rate_hz }),
    pieces: vocabularyOf(nemo, tokenizer, config.decoder.vocabSize),
    tokenizer,
    schedule: scheduleFor(config, contract.streaming),
  }
}

const refusal = (path: string, state: string) =>
  usageError(`Cannot export "${path}": ${state}`, 'give a FastConformer-TDT model with a SentencePiece tokenizer')

function weightsFrom(tensors: ReadonlyMap<string, TorchTensor>, path: string): WeightSource {
  return {
    has: name => tensors.has(name),
    read(name) {
      const tensor = tensors.get(name)
      if (tensor === undefined) throw refusal(path, `it has no weight "${name}"`)
      if (tensor.dtype !== 'float32')
        throw refusal(path, `the weight "${name}" is ${tensor.dtype}, and float32 is read`)
      return tensor.tensor() as FloatTensor
    },
  }
}

/** The guard on tokens of one frame; null in a configuration means none, with which decoding need not end. */
function maxSymbolsOf({ config, path }: NemoFile, { decode }: ParakeetContract): number {
  const keys = ['decoding.greedy.max_symbols', 'decoding.greedy.max_symbols_per_step']
  const stated = keys.map(key => configValue(config, key))
  const value = stated[0] ?? stated[1] ?? (stated.includes(null) ? null : decode.max_symbols)
  if (typeof value === 'number') return value
  throw refusal(path, `${keys[0]} is ${JSON.stringify(value)}, and decoding need not end without it`)
}

/** What NeMo's front end does where its configuration is silent. */
const frontDefaults = { sample_rate: 16000, window_size: 0.02, window_stride: 0.01, features: 64, preemph: 0.97 }
/** Guards that a configuration names: the smallest normal float32, and the distance from 1 to the next one. */
const namedGuards: Readonly<Record<string, number>> = { tiny: 2 ** -126, eps: 2 ** -23 }

function featuresOf(nemo: NemoFile, { features: ours }: ParakeetContract): FeatureMeta {
  const stated = (key: string) => configValue(nemo.config, `preprocessor.${key}`)
  const number = (key: string, value: unknown) => {
    if (typeof value === 'number') return value
    throw refusal(nemo.path, `preprocessor.${key} is ${JSON.stringify(value)}`)
  }
  const value = (key: keyof typeof frontDefaults) =>
    number(key, stated(key) === undefined ? frontDefaults[key] : stated(key))
  const rate = value('sample_rate')
  const highest = stated('highfreq')
  if (typeof highest === 'number' && highest !== 0 && highest !== rate / 2)
    throw refusal(nemo.path, `preprocessor.highfreq is ${highest}, and should be ${rate / 2}`)
  const window = Math.floor(value('window_size') * rate)
  const guard = stated('log_zero_guard_value') ?? ours.log_zero_guard_value
  // NeMo takes null for no pre-emphasis and for no normalisation.
  const normalize = stated('normalize') === undefined ? 'per_feature' : (stated('normalize') ?? 'NA')
  return {
    sample_rate_hz: rate,
    n_fft: number('n_fft', stated('n_fft') ?? 2 ** Math.ceil(Math.log2(window))),
    window_length: window,
    hop_length: Math.floor(value('window_stride') * rate),
    n_mels: value('features'),
    preemphasis: stated('preemph') === null ? 0 : value('preemph'),
    log_zero_guard_value: number('log_zero_guard_value', typeof guard === 'string' ? namedGuards[guard] : guard),
    normalize: String(normalize),
    normalize_eps: ours.normalize_eps,
  }
}

function vocabularyOf(nemo: NemoFile, tokenizer: Uint8Array | undefined, size: number): readonly string[] {
  const listed = configValue(nemo.config, 'joint.vocabulary')
  const list = Array.isArray(listed) ? listed.map(String) : tokenizer && piecesFromModel(tokenizer).list
  if (list?.length === size) return list
  throw refusal(nemo.path, `its vocabulary has ${list?.length ?? 'no'} pieces, and the predictor ${size}`)
}

/** A model of seeded weights. Its words mean nothing. */
export function syntheticModel(shape: SyntheticShape, contract: ParakeetContract, seed: number): ModelToWrite {
  const { config, sizes } = shapeOf(shape, contract)
  const { features } = contract
  const schedule = scheduleFor(
    config,
    shape === 'full' ? contract.streaming : { ...contract.streaming, cache_size: 12 },
  )
  const bytes = [...tdtWeightShapes(config, sizes).values()].reduce((sum, dims) => sum + 4 * sizeOf(dims), 0)
  return {
    name: `synthetic-${shape}`,
    config,
    weights: seededTdtWeights(config, sizes, seed),
    weightBytes: bytes,
    source: { seed },
    features: {
      sample_rate_hz: features.sample_rate_hz,
      n_fft: features.n_fft,
      window_length: features.window_length,
      hop_length: features.hop_length,
      n_mels: features.n_mels,
      preemphasis: features.preemphasis,
      log_zero_guard_value: features.log_zero_guard_value,
      normalize: shape === 'tiny-streaming' ? 'NA' : features.normalize,
      normalize_eps: features.normalize_eps,
    },
    parts: modelPartsOf(config, {
      maxSymbols: contract.decode.max_symbols,
      frameShiftMs: (1000 * features.hop_length) / features.sample_rate_hz,
    }),
    pieces: syntheticPieces(config.decoder.vocabSize),
    schedule,
  }
}

function shapeOf(shape: SyntheticShape, contract: ParakeetContract): { config: TdtConfig; sizes: HiddenSizes } {
  if (shape === 'tiny') return { config: tinyConfig, sizes: tinySizes }
  if (shape === 'tiny-streaming') return { config: tinyStreamingConfig, sizes: tinySizes }
  const { encoder: e, predictor, joint, tokenizer, decode, features } = contract
  return {
    config: {
      encoder: {
        ...tinyConfig.encoder,
        featIn: features.n_mels,
        layers: e.n_layers,
        width: e.d_model,
        heads: e.n_heads,
        convKernel: e.conv_kernel_size,
        convContext: e.conv_context_size,
        subsamplingFactor: contract.timebase.encoder_subsampling_factor,
        xscaling: e.xscaling,
      },
      decoder: {
        vocabSize: tokenizer.vocab_size,
        durations: decode.duration_values,
        hidden: predictor.pred_hidden,
        layers: predictor.pred_rnn_layers,
        jointHidden: joint.joint_hidden,
        activation: 'relu',
      },
    },
    sizes: {
      feedForward: e.ff_expansion_factor * e.d_model,
      convChannels: e.subsampling_conv_channels,
      bias: e.use_bias,
    },
  }
}

/** Letters, marks and syllables, so that the words of a synthetic model can be read aloud. */
function syntheticPieces(count: number): string[] {
  const heads = [...'bdfgklmnprstvz']
  const tails = [...'aeiou']
  const syllables = heads.flatMap(head => tails.map(tail => head + tail))
  const longer = syllables.flatMap(first => syllables.map(second => first + second))
  const parts = [...syllables, ...longer]
  const pieces = ['<unk>', '▁', '.', ',', '?', ...parts.flatMap(part => [`▁${part}`, part])]
  return pieces.slice(0, count)
}
