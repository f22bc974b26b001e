/**
 * What an exported model says of itself in `model_meta.json`: the values of the contract that are its own.
 *
 * Keys are those of the contract, so that both can be compared key by key.
 */
import { join } from 'node:path'
import { usageError } from '../../../base/errors.ts'
import { readJson } from '../../../host/files.ts'
import type { TdtConfig } from '../../../models/tdt/config.ts'
import { streamSchedule, type StreamSchedule } from '../../../models/tdt/schedule.ts'
import type { NemoMelOptions } from '../../../signal/mel/nemo.ts'
import type { TdtRules } from '../../../speech/tdt/rules.ts'
import { runbookCommand } from '../../../host/typescript.ts'

/** The front end's values. */
export interface FeatureMeta {
  readonly sample_rate_hz: number
  readonly n_fft: number
  readonly window_length: number
  readonly hop_length: number
  readonly n_mels: number
  readonly preemphasis: number
  readonly log_zero_guard_value: number
  readonly normalize: string
  readonly normalize_eps: number
}

/** `model_meta.json` of a folder that was exported here. */
export interface ModelMeta {
  readonly model: string
  /** Where the weights came from: a digest of the `.nemo`, or the seed. */
  readonly source: Readonly<Record<string, unknown>>
  readonly features: FeatureMeta
  readonly timebase: { readonly encoder_subsampling_factor: number; readonly encoder_frame_shift_ms: number }
  readonly encoder: Readonly<Record<string, unknown>> & { readonly n_layers: number; readonly d_model: number }
  readonly tokenizer: { readonly vocab_size: number; readonly blank_id: number }
  readonly predictor: { readonly pred_hidden: number; readonly pred_rnn_layers: number }
  readonly joint: { readonly joint_hidden: number; readonly joint_vocab_size: number; readonly normalization: string }
  readonly decode: { readonly duration_values: readonly number[]; readonly max_symbols: number }
  readonly streaming: StreamMeta | null
  readonly artifacts: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>
}

/** The schedule under the contract's names. */
export interface StreamMeta {
  readonly chunk_size: readonly [number, number]
  readonly shift_size: readonly [number, number]
  readonly pre_encode_cache_size: readonly [number, number]
  readonly drop_extra_pre_encoded: number
  readonly cache_drop_size: number
  readonly cache_size: number
  readonly valid_out_len: number
  readonly time_ctx: number
}

const fileName = 'model_meta.json'

/**
 * The meta of a model folder.
 * @throws RunbookError blocked when there is none; usage when it is no JSON or lacks a part
 */
export function readMeta(folder: string): ModelMeta {
  const path = join(folder, fileName)
  const meta = readJson(path) as Partial<ModelMeta> | null
  const parts = ['features', 'timebase', 'encoder', 'tokenizer', 'predictor', 'joint', 'decode'] as const
  const absent = parts.filter(part => typeof meta?.[part] !== 'object')
  if (absent.length === 0) return meta as ModelMeta
  throw usageError(
    `Cannot use "${path}": it lacks ${absent.join(', ')}`,
    `export again: ${runbookCommand('runbooks/parakeet-export.ts')}`,
  )
}

/** Decoding rules of a model. */
export const rulesOf = (meta: Pick<ModelMeta, 'tokenizer' | 'decode'>): TdtRules => ({
  vocabSize: meta.tokenizer.vocab_size,
  durations: meta.decode.duration_values,
  maxSymbols: meta.decode.max_symbols,
})

/**
 * Front-end options of a model.
 *
 * @throws RunbookError usage for a normalisation that is not known
 */
export function melOptionsOf({ features: f }: Pick<ModelMeta, 'features'>): NemoMelOptions {
  if (f.normalize !== 'per_feature' && f.normalize !== 'NA')
    throw usageError(`Cannot normalise features by "${f.normalize}": it is not known`, 'per_feature and NA are')
  return {
    sampleRate: f.sample_rate_hz,
    fftSize: f.n_fft,
    windowSamples: f.window_length,
    hopSamples: f.hop_length,
    bins: f.n_mels,
    preemphasis: f.preemphasis,
    logGuard: f.log_zero_guard_value,
    normalize: f.normalize === 'NA' ? 'none' : 'per_feature',
    normalizeGuard: f.normalize_eps,
  }
}

/**
 * Whether the encoder was trained for streams: its attention reaches a limited number of frames to both sides. One that
 * hears whole recordings may be driven in chunks too, and then says other words than it does offline.
 */
export function isMadeToStream({ encoder }: Pick<ModelMeta, 'encoder'>): boolean {
  const context = encoder.att_context_size
  return Array.isArray(context) && context.length === 2 && context.every(frames => frames >= 0)
}

/** What is to be said of a stream through an encoder that was not trained for it. */
export const streamCaveat =
  'the encoder was trained on whole recordings: in chunks it gives other frames, and may give other words'

/** The schedule that a meta states. */
export const scheduleOf = (s: StreamMeta, { timebase, encoder }: ModelMeta): StreamSchedule => ({
  chunkSize: s.chunk_size,
  shiftSize: s.shift_size,
  preEncode: s.pre_encode_cache_size,
  dropExtra: [0, s.drop_extra_pre_encoded],
  cacheDrop: s.cache_drop_size,
  cacheSize: s.cache_size,
  validOut: s.valid_out_len,
  front: {
    subsamplingFactor: timebase.encoder_subsampling_factor,
    causalDownsampling: encoder.causal_downsampling === true,
  },
})

/** A schedule under the meta's names. */
export const streamMetaFrom = (s: StreamSchedule, timeContext: number): StreamMeta => ({
  chunk_size: s.chunkSize,
  shift_size: s.shiftSize,
  pre_encode_cache_size: s.preEncode,
  drop_extra_pre_encoded: s.dropExtra[1],
  cache_drop_size: s.cacheDrop,
  cache_size: s.cacheSize,
  valid_out_len: s.validOut,
  time_ctx: timeContext,
})

/** What a meta says of a model of this configuration, but for its source, its front end and its files. */
export function modelPartsOf({ encoder, decoder }: TdtConfig, o: { maxSymbols: number; frameShiftMs: number }) {
  return {
    timebase: {
      encoder_subsampling_factor: encoder.subsamplingFactor,
      encoder_frame_shift_ms: encoder.subsamplingFactor * o.frameShiftMs,
    },
    encoder: {
      n_layers: encoder.layers,
      d_model: encoder.width,
      n_heads: encoder.heads,
      conv_kernel_size: encoder.convKernel,
      conv_norm_type: encoder.convNorm,
      conv_context_size: encoder.convContext,
      att_context_size: encoder.attContext,
      att_context_style: encoder.attStyle,
      causal_downsampling: encoder.causalDownsampling,
      xscaling: encoder.xscaling,
    },
    tokenizer: { vocab_size: decoder.vocabSize, blank_id: decoder.vocabSize },
    predictor: { pred_hidden: decoder.hidden, pred_rnn_layers: decoder.layers },
    joint: {
      joint_hidden: decoder.jointHidden,
      joint_vocab_size: decoder.vocabSize + 1 + decoder.durations.length,
      normalization: 'logits',
    },
    decode: { duration_values: decoder.durations, max_symbols: o.maxSymbols },
  }
}

/** The schedule that a model streams with: its own where it was made to stream, else chunks of the contract's size. */
export function scheduleFor(
  { encoder }: TdtConfig,
  streaming: { readonly chunk_steps: number; readonly shift_steps: number; readonly cache_size: number },
): StreamSchedule {
  if (encoder.attStyle === 'chunked_limited') return streamSchedule(encoder)
  const choice = { chunkSteps: streaming.chunk_steps, shiftSteps: streaming.shift_steps }
  return { ...streamSchedule(encoder, choice), cacheSize: streaming.cache_size }
}
