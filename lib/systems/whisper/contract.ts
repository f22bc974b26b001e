/**
 * Reads the contract of the Whisper system, typed.
 */
import { readContract, type ContractMark } from '../../contract/contract.ts'
import { closest } from '../../base/text.ts'
import { usageError } from '../../base/errors.ts'
import type { WhisperDims } from '../../models/whisper/dims.ts'

/** A file of a model: from members of packages, put together in order, or from an address. */
export interface ModelFile {
  readonly name: string
  readonly sha256: string
  readonly bytes?: number
  readonly url?: string
  readonly members?: readonly { readonly package: string; readonly version: string; readonly member: string }[]
}

/** A model that somebody published. */
export interface PublishedModel {
  readonly dims: WhisperDims
  /** Layer and head of the decoder's attention that follows the sound. */
  readonly alignmentHeads: readonly (readonly [number, number])[]
  readonly publisher: string
  readonly files: readonly ModelFile[]
}

/** The contract's values; each one's source stands in the JSON. */
export interface WhisperContract extends ContractMark {
  readonly audio: { readonly sampleRateHz: number; readonly windowSeconds: number; readonly shortestSeconds: number }
  readonly mel: {
    readonly fftSize: number
    readonly hopSamples: number
    readonly minHz: number
    readonly maxHz: number
    readonly logAtLeast: number
    readonly range: number
    readonly shift: number
    readonly scale: number
  }
  readonly decoding: {
    readonly temperatures: readonly number[]
    readonly compressionRatioThreshold: number
    readonly logprobThreshold: number
    readonly noSpeechThreshold: number
    readonly maxInitialTimestampS: number
  }
  readonly models: Readonly<Record<string, PublishedModel>>
  readonly quantised: Readonly<Record<string, { readonly of: string; readonly precision: 'int8' }>>
  readonly fixed: {
    readonly chunkSeconds: Readonly<Record<string, number>>
    readonly sequence: Readonly<Record<string, number>>
    readonly parts: number
    readonly repetitionPenalty: number
    readonly repetitionWindow: number
    readonly repetitionExcluded: readonly number[]
  }
  /** By device and model: the files of encoder and decoder. */
  readonly hefs: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly gates: {
    readonly encoderMaxAbs: number
    readonly logitsMaxAbs: number
    readonly timesMaxS: number
    readonly wordErrorPointsMax: number
  }
  readonly bench: {
    readonly audioSeconds: number
    readonly frontEndMsMax: number
    readonly stepRatioMax: number
    readonly float32RatioMax: number
    readonly int8RatioMax: number
    readonly memoryGrowthMiBMax: number
    readonly serverOverheadMsMax: number
  }
  readonly files: {
    readonly manifest: string
    readonly encoder: string
    readonly decoder: string
    readonly embeddings: string
  }
}

let held: WhisperContract | undefined

/** The contract, read once. */
export const whisperContract = (): WhisperContract => (held ??= readContract<WhisperContract>('whisper'))

/** Every name that a model may be asked for by. */
export const modelNames = (): string[] => {
  const { models, quantised } = whisperContract()
  return [...Object.keys(models), ...Object.keys(quantised)]
}

/** A name, the published model behind it, and the precision that the name asks for. */
export interface NamedModel {
  readonly name: string
  readonly published: string
  readonly model: PublishedModel
  readonly precision: 'float32' | 'int8'
}

/** @throws RunbookError usage for a name that the contract does not know */
export function namedModel(name: string): NamedModel {
  const { models, quantised } = whisperContract()
  if (modelNames().includes(name)) {
    const published = quantised[name]?.of ?? name
    return { name, published, model: models[published]!, precision: quantised[name]?.precision ?? 'float32' }
  }
  const near = closest(name, modelNames())
  throw usageError(
    `Cannot use the model "${name}": there is no such name`,
    near ? `did you mean ${near}?` : `one of ${modelNames().join(', ')}`,
  )
}
