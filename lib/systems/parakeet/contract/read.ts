/**
 * The Parakeet contract as the rest of this system uses it.
 */
import { readContract, type ContractMark } from '../../../contract/contract.ts'

/** Versions of the model for which there is a contract. */
export const parakeetVersions = ['v3', 'v2'] as const
/** One of them. */
export type ParakeetVersion = (typeof parakeetVersions)[number]

/** The values of a contract, under the names of plan 004. */
export interface ParakeetContract extends ContractMark {
  readonly features: {
    readonly sample_rate_hz: number
    readonly window_length: number
    readonly hop_length: number
    readonly n_fft: number
    readonly n_mels: number
    readonly preemphasis: number
    readonly log_zero_guard_value: number
    readonly normalize: string
    readonly normalize_eps: number
  }
  readonly timebase: { readonly encoder_subsampling_factor: number; readonly encoder_frame_shift_ms: number }
  readonly encoder: Readonly<Record<string, unknown>> & {
    readonly n_layers: number
    readonly d_model: number
    readonly n_heads: number
    readonly conv_kernel_size: number
    readonly conv_context_size: readonly [number, number]
    readonly ff_expansion_factor: number
    readonly subsampling_conv_channels: number
    readonly use_bias: boolean
    readonly xscaling: boolean
  }
  readonly tokenizer: { readonly vocab_size: number; readonly blank_id: number }
  readonly predictor: { readonly pred_hidden: number; readonly pred_rnn_layers: number }
  readonly joint: { readonly joint_hidden: number; readonly joint_vocab_size: number; readonly normalization: string }
  readonly decode: {
    readonly duration_values: readonly number[]
    readonly max_symbols: number
    readonly blank_duration_zero_policy: string
    readonly confidence: {
      readonly name: 'entropy'
      readonly entropy_type: 'tsallis'
      readonly alpha: number
      readonly entropy_norm: 'exp'
      readonly aggregation: 'min'
      readonly exclude_blank: boolean
    }
  }
  readonly streaming: { readonly chunk_steps: number; readonly shift_steps: number; readonly cache_size: number }
  readonly tolerances: {
    readonly ort: { readonly atol: number; readonly rtol: number }
    readonly mel_atol: number
    readonly predictor_steps: number
    readonly cache_last_time_atol: number
    readonly cache_channel_atol: number
    readonly drift_slope_per_chunk: number
    readonly wer_max: number
    readonly trt: Readonly<Record<string, number>>
  }
  readonly latency: {
    readonly encoder_streaming_gpu_ms_max: number
    readonly decode_heap_bytes_per_step_max: number
  }
  readonly engines: {
    readonly encoder: { readonly frames_min: number; readonly frames_opt: number; readonly frames_max: number }
    readonly joint: { readonly frames_max: number }
    readonly timeout_s: number
  }
}

/** The name of a version's contract. */
export const contractName = (version: ParakeetVersion): string => `parakeet-tdt-0.6b-${version}`

/**
 * The contract of a version.
 *
 * @throws RunbookError blocked when it is absent; usage when it lacks a required value
 */
export const parakeetContract = (version: ParakeetVersion = 'v3'): ParakeetContract =>
  readContract<ParakeetContract>(contractName(version))
